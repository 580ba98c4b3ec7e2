#include "duplex/runtime/context.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace duplex {

Context::Context(Loop& loop) : loop_(loop) {}

Context::Context(Context& parent)
    : loop_(parent.loop_), parent_(&parent), deadline_(parent.deadline_), why_(parent.why_), label_(parent.label_) {
  parent.children_.push_back(*this);
}

Context::Context(Context& parent, Time deadline) : Context(parent) { set_deadline(deadline); }
Context::Context(Context& parent, Duration span) : Context(parent, after(parent.loop_.now(), span)) {}

Context::~Context() {
  if (!children_.empty() || !waiters_.empty()) {
    std::fprintf(stderr, "duplex: a Context of %.*s ends before its children and waits do\n",
                 static_cast<int>(label().size()), label().data());
    std::abort();
  }
}

Duration Context::remaining() const {
  if (deadline_ == kNever) return Duration::max();
  return deadline_ > loop_.now() ? deadline_ - loop_.now() : Duration::zero();
}

void Context::set_deadline(Time deadline) {
  if (deadline >= deadline_) return;
  deadline_ = deadline;
  if (cancelled()) return;
  if (deadline <= loop_.now())
    fire();
  else
    loop_.arm(*this, deadline);
}

void Context::fire() { cancel(Status::deadline_exceeded("the deadline passed")); }

void Context::cancel(const Status& why) {
  if (cancelled() || why.is_ok()) return;
  why_ = why;
  disarm();
  waiters_.for_each([](Waiter& waiter) { waiter.cancelled(); });
  children_.for_each([&](Context& child) { child.cancel(why); });
}

void* Context::find_slot(const void* tag) const {
  for (const Context* c = this; c; c = c->parent_) {
    for (size_t i = 0; i < c->slot_count_; ++i)
      if (c->slots_[i].tag == tag && c->slots_[i].value) return c->slots_[i].value;
    for (const Slot& slot : c->more_slots_)
      if (slot.tag == tag && slot.value) return slot.value;
  }
  return nullptr;
}

void* Context::put_slot(const void* tag, void* value) {
  for (size_t i = 0; i < slot_count_; ++i)
    if (slots_[i].tag == tag) return std::exchange(slots_[i].value, value);
  for (Slot& slot : more_slots_)
    if (slot.tag == tag) return std::exchange(slot.value, value);
  if (slot_count_ < std::size(slots_))
    slots_[slot_count_++] = {tag, value};
  else
    more_slots_.push_back({tag, value});
  return nullptr;
}

const Call& Context::call() const {
  if (call_) return *call_;
  std::fprintf(stderr, "duplex: ctx.call() outside a handler's own Context (a child Context does not inherit it)\n");
  std::abort();
}

Reply* Context::reply_for_caller() const {
  const Context* at = this;
  while (at && !at->reply_) at = at->parent_;
  return at ? at->reply_ : nullptr;
}

Reply& Context::reply() const {
  if (reply_) return *reply_;
  std::fprintf(stderr, "duplex: ctx.reply() outside a handler's own Context (a child Context does not inherit it)\n");
  std::abort();
}

void Waiter::park(Context& ctx, std::coroutine_handle<> who) {
  context_ = &ctx;
  who_ = who;
  parked_ = true;
  ctx.waiters_.push_back(*this);
}

void Waiter::wake() {
  if (!parked_) return;
  parked_ = false;
  WaiterTag::unlink();
  context_->loop().ready(*this);
}

void Waiter::run() {
  context_->loop().set_running(context_->label_address());
  who_.resume();
}

}  // namespace duplex
