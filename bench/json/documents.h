// The three documents of the JSON benchmark, always the same.
#pragma once

#include <memory>
#include <random>
#include <string>

#include "documents.pb.h"

namespace bench::json {

inline std::unique_ptr<google::protobuf::Message> make_order() {
  auto order = std::make_unique<Order>();
  order->set_id("ord_01HZX3V9K8Q2");
  order->set_customer_id("cus_7f3a9b1c");
  order->set_state(Order::STATE_PAID);
  order->mutable_created_at()->set_seconds(1772357400);
  order->mutable_created_at()->set_nanos(250000000);
  order->mutable_shipped_at()->set_seconds(1772443800);
  for (int i = 0; i < 5; ++i) {
    auto* item = order->add_items();
    item->set_product_id("prod_" + std::to_string(884120 + i * 37));
    item->set_title("Espresso cups, stoneware, set of " + std::to_string(2 + i));
    item->set_quantity(1 + i);
    item->set_price_cents(1299 + 250 * i);
    item->set_gift_wrapped(i % 2 == 0);
  }
  for (auto* address : {order->mutable_billing_address(), order->mutable_shipping_address()}) {
    address->set_name("Ada Lovelace");
    address->set_street("12 St James's Square");
    address->set_city("London");
    address->set_postal_code("SW1Y 4JH");
    address->set_country("GB");
  }
  order->set_total_cents(20970);
  order->set_currency("GBP");
  order->set_discount_rate(0.125);
  order->add_coupons("WELCOME10");
  order->add_coupons("SPRING");
  order->set_note("Please ring twice.");
  return order;
}

inline std::unique_ptr<google::protobuf::Message> make_text() {
  static const char* const kPlain[] = {"a", "e", "i", "n", "o", "r", "s", "t", " ", "l", "d", "u"};
  static const char* const kEscaped[] = {"\"", "\n", "\\", "\t", "\r\n"};
  static const char* const kOther[] = {"é", "ü", "ß", "ж", "日", "本", "語", "🎉", "€"};
  std::mt19937 random(7);
  const auto pick = [&](const auto& from) { return from[random() % std::size(from)]; };
  const auto some = [&](int characters) {
    std::string text;
    for (int i = 0; i < characters; ++i) {
      const auto chance = random() % 10;
      text += chance < 6 ? pick(kPlain) : chance < 8 ? pick(kEscaped) : pick(kOther);
    }
    return text;
  };
  auto document = std::make_unique<Text>();
  document->set_author("Zoë \"Z\" 山田");
  for (int i = 0; i < 8; ++i) {
    auto* paragraph = document->add_paragraphs();
    paragraph->set_title(some(24));
    paragraph->set_body(some(400));
  }
  return document;
}

inline std::unique_ptr<google::protobuf::Message> make_numbers() {
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal(0, 1000);
  auto numbers = std::make_unique<Numbers>();
  for (int i = 0; i < 100; ++i) numbers->add_samples(normal(random));
  for (int i = 0; i < 100; ++i) numbers->add_counts(static_cast<int32_t>(random() % 20000) - 10000);
  for (int i = 0; i < 50; ++i) numbers->add_ids(random());
  for (int i = 0; i < 50; ++i) (*numbers->mutable_gauges())["queue.depth.worker_" + std::to_string(i)] = normal(random);
  for (int i = 0; i < 50; ++i) (*numbers->mutable_labels())[i * 7] = "label " + std::to_string(i);
  for (int i = 0; i < 50; ++i)
    (*numbers->mutable_totals())["requests_" + std::to_string(i)] = static_cast<int64_t>(random() >> 20);
  return numbers;
}

}  // namespace bench::json
