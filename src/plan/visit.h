// Visiting operations so that a new one does not compile until every place has an answer for it.
//
//   std::visit(Overloaded{[](const AddBridge& add) { ... },
//                         [](const OneOf<DeleteLink, DeleteRoute> auto&) { ... }}, op);
//
// Groups are named, never "everything else": a default would take a new operation silently.
#pragma once

#include <type_traits>

namespace berth::plan {

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};

template <typename T, typename... Ts>
concept OneOf = (std::is_same_v<T, Ts> || ...);

}  // namespace berth::plan
