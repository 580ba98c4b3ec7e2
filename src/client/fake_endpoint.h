// For tests: endpoints that do as they are told.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/target.h"
#include "duplex/client/endpoint.h"

namespace duplex::client {

struct Node {
  std::function<Task<Outcome>(Context&, Call&)> answer = [](Context&, Call&) {
    return Task<Outcome>::ready(Outcome());
  };
  bool failing = false, closed = false;
  Time failing_until{};
  int calls = 0, made = 0;
};

class FakeEndpoint final : public Endpoint, private Service {
 public:
  explicit FakeEndpoint(Node& node) : node_(node) { ++node_.made; }
  Service& service() override { return *this; }
  bool failing() const override { return node_.failing; }
  Time failing_until() const override { return node_.failing_until; }
  void close(const Status&) override { node_.closed = true; }
  bool idle() const override { return node_.closed; }

 private:
  Task<Outcome> call(Context& ctx, Call& c) override {
    ++node_.calls;
    return node_.answer(ctx, c);
  }
  Node& node_;
};

// Targets without a Remote: 10.0.0.1:80, 10.0.0.2:80, ... of these weights.
class FakeTargets {
 public:
  explicit FakeTargets(const std::vector<double>& weights) {
    for (double weight : weights) add(weight);
  }
  Target& add(double weight = 1, size_t group = 0, int priority = 0) {
    auto target = std::make_unique<Target>();
    target->key = "10.0.0." + std::to_string(all_.size() + 1) + ":80";
    target->weight = weight;
    target->group = group;
    target->priority = priority;
    nodes_.push_back(std::make_unique<Node>());
    target->endpoint = std::make_unique<FakeEndpoint>(*nodes_.back());
    all_.push_back(std::move(target));
    return *all_.back();
  }
  Target& operator[](size_t i) { return *all_[i]; }
  Node& node(size_t i) { return *nodes_[i]; }
  size_t size() const { return all_.size(); }
  std::vector<Target*> pointers() const {
    std::vector<Target*> out;
    for (auto& target : all_) out.push_back(target.get());
    return out;
  }

 private:
  std::vector<std::unique_ptr<Target>> all_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace duplex::client
