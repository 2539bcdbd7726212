#include "plan/outbox.h"

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/result.h"
#include "firewall/table.h"
#include "kernel/netlink/link.h"
#include "kernel/nft/batch.h"
#include "kernel/sysctl/sysctl.h"

namespace berth::plan {
namespace {

// The device group that links wait in to be deleted together; "bert" in ASCII. Nothing else should
// be in it, and berth leaves nothing there.
constexpr std::uint32_t kTeardownGroup = 0x62657274;

// The kernel takes a sub-interface of a namespace that has ended down in its own time (cleanup_net
// in net/core/net_namespace.c), and until then its MAC address is in use on the parent
// (macvlan_open), though its successor has the right to it.
Status once_address_is_free(kernel::Socket& socket, const kernel::Request& request) {
  constexpr auto kPatience = std::chrono::seconds(3);
  constexpr auto kPause = std::chrono::milliseconds(10);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    std::this_thread::sleep_for(kPause);
    auto done = socket.request(kernel::Request(request));
    if (done || done.error().sys != EADDRINUSE || std::chrono::steady_clock::now() > end)
      return done;
  }
}

}  // namespace

void Outbox::make_way_for(Kind kind, const NsRef& ns) {
  if (kind_ != kind || ns_ != ns) flush();
  kind_ = kind;
  ns_ = ns;
}

void Outbox::add(std::size_t position, kernel::Request request) {
  positions_.push_back(position);
  requests_.push_back(std::move(request));
}

void Outbox::add(std::size_t position, const SetSysctl& setting) {
  positions_.push_back(position);
  settings_.push_back(&setting);
}

void Outbox::add_deletion(std::size_t position, const IfName& link) {
  positions_.push_back(position);
  deletions_.push_back(link);
}

void Outbox::add(std::size_t position, const nft::Element& element) {
  positions_.push_back(position);
  elements_.push_back(&element);
}

void Outbox::add(std::size_t position, const kernel::FlowFilter& flows) {
  positions_.push_back(position);
  flows_.push_back(flows);
}

void Outbox::flush() {
  switch (std::exchange(kind_, Kind::kNone)) {
    case Kind::kNone:
      break;
    case Kind::kRequests:
      return flush_requests();
    case Kind::kSettings:
      return flush_settings();
    case Kind::kDeletions:
      return flush_deletions();
    case Kind::kAdditions:
      return flush_elements(true);
    case Kind::kRemovals:
      return flush_elements(false);
    case Kind::kFlushes:
      return flush_flows();
  }
}

void Outbox::flush_requests() {
  auto requests = std::exchange(requests_, {});
  const auto positions = std::exchange(positions_, {});
  if (requests.empty()) return;
  const auto socket = namespaces_.route(kernel_, ns_);
  if (!socket) {
    for (const auto position : positions) settle_(position, std::unexpected(socket.error()));
    return;
  }
  auto results = (*socket)->batch(requests);
  bool waited = false;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i] && results[i].error().sys == EADDRINUSE) {
      results[i] = once_address_is_free(**socket, requests[i]);
      waited = true;
    } else if (!results[i] && waited) {
      results[i] = (*socket)->request(std::move(requests[i]));  // for want of the link being up
    }
    settle_(positions[i], std::move(results[i]));
  }
}

// One visit to the namespace for all of them.
void Outbox::flush_settings() {
  const auto settings = std::exchange(settings_, {});
  const auto positions = std::exchange(positions_, {});
  if (settings.empty()) return;
  std::vector<Status> results;
  const auto write_all = [&]() -> Status {
    for (const auto* each : settings) {
      results.push_back(kernel::write_sysctl(each->key, each->value));
      if (!results.back() && after_refusal_ == AfterRefusal::kStop) break;
    }
    return {};
  };
  const auto netns = namespaces_.open(ns_);
  const auto visited = netns ? kernel::visit(**netns, kernel_.home(), write_all)
                             : Status(std::unexpected(netns.error()));
  if (!visited) results.assign(1, visited);
  for (std::size_t i = 0; i < results.size(); ++i) settle_(positions[i], std::move(results[i]));
}

void Outbox::flush_deletions() {
  const auto links = std::exchange(deletions_, {});
  const auto positions = std::exchange(positions_, {});
  if (links.empty()) return;
  const auto socket = kernel_.route();
  if (!socket) {
    for (const auto position : positions) settle_(position, std::unexpected(socket.error()));
    return;
  }
  if (links.size() == 1)
    return settle_(positions[0], (*socket)->request(kernel::delete_link(links[0])));
  std::vector<kernel::Request> grouping;
  for (const auto& link : links) grouping.push_back(kernel::set_link_group(link, kTeardownGroup));
  const auto grouped = (*socket)->batch(grouping);
  auto gone = (*socket)->request(kernel::delete_link_group(kTeardownGroup));
  if (!gone && gone.error().kind == ErrorKind::kNotFound) gone = {};  // all were gone already
  if (!gone) leave_group(links);
  for (std::size_t i = 0; i < links.size(); ++i)
    settle_(positions[i], grouped[i] ? gone : grouped[i]);
}

// What could not be deleted must not wait in the group for the next one's deletion.
void Outbox::leave_group(const std::vector<IfName>& links) {
  std::vector<kernel::Request> leaving;
  for (const auto& link : links) leaving.push_back(kernel::set_link_group(link, 0));
  (void)(*kernel_.route())->batch(leaving);
}

void Outbox::flush_elements(bool adding) {
  const auto elements = std::exchange(elements_, {});
  const auto positions = std::exchange(positions_, {});
  if (elements.empty()) return;
  auto status = commit(elements, adding);
  // One that is there already refuses the whole transaction.
  if (!status && after_refusal_ == AfterRefusal::kGoOn && elements.size() > 1) {
    for (std::size_t i = 0; i < elements.size(); ++i)
      settle_(positions[i], commit(std::span(elements).subspan(i, 1), adding));
    return;
  }
  if (!status) return settle_(positions[0], std::move(status));
  for (const auto position : positions) settle_(position, {});
}

void Outbox::flush_flows() {
  const auto flows = std::exchange(flows_, {});
  const auto positions = std::exchange(positions_, {});
  if (flows.empty()) return;
  const auto forget = [&]() -> Status {
    return kernel::flush_flows(*TRY(kernel_.netfilter()), *TRY(kernel_.route()), flows);
  };
  auto status = forget();
  if (!status) return settle_(positions[0], std::move(status));
  for (const auto position : positions) settle_(position, {});
}

Status Outbox::commit(std::span<const nft::Element* const> elements, bool adding) {
  std::vector<nft::Element> copies;
  copies.reserve(elements.size());
  for (const auto* each : elements) copies.push_back(*each);
  nft::Batch batch{std::string(firewall::kTable)};
  if (adding)
    batch.add_elements(std::move(copies));
  else
    batch.remove_elements(std::move(copies));
  return TRY(kernel_.nft())->commit(std::move(batch));
}

}  // namespace berth::plan
