// An intrusive doubly linked list: a node is in at most one list of its tag, and leaves it by itself when destroyed.
#pragma once

namespace duplex {

struct ListNode {
  ListNode* prev = nullptr;
  ListNode* next = nullptr;

  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return next != nullptr; }
  void unlink() {
    if (!next) return;
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }
};

// T derives from Tag, and Tag from ListNode (so that one object can be in several lists).
template <class T, class Tag>
class List {
 public:
  List() { head_.prev = head_.next = &head_; }
  ~List() {
    while (!empty()) pop_front();
    head_.prev = head_.next = nullptr;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return head_.next == &head_; }
  T& front() { return of(head_.next); }
  void push_back(T& item) { link(static_cast<Tag&>(item), head_.prev, &head_); }
  void push_front(T& item) { link(static_cast<Tag&>(item), &head_, head_.next); }
  T& pop_front() {
    ListNode* node = head_.next;
    node->unlink();
    return of(node);
  }
  // Moves everything of `other` to the end of this list.
  void splice(List& other) {
    if (other.empty()) return;
    ListNode *first = other.head_.next, *last = other.head_.prev;
    other.head_.prev = other.head_.next = &other.head_;
    first->prev = head_.prev;
    head_.prev->next = first;
    last->next = &head_;
    head_.prev = last;
  }
  template <class F>
  void for_each(F f) {  // f may unlink the item it is given
    for (ListNode* node = head_.next; node != &head_;) {
      ListNode* next = node->next;
      f(of(node));
      node = next;
    }
  }

 private:
  static T& of(ListNode* node) { return static_cast<T&>(static_cast<Tag&>(*node)); }
  static void link(ListNode& node, ListNode* prev, ListNode* next) {
    node.prev = prev;
    node.next = next;
    prev->next = &node;
    next->prev = &node;
  }
  ListNode head_;
};

}  // namespace duplex
