#include "engine/networks/claim.h"

#include <algorithm>

#include "base/result.h"
#include "engine/instance.h"
#include "firewall/intents.h"
#include "firewall/table.h"

namespace berth::engine {
namespace {

// Of a comment's 100 bytes (firewall::comment_of), what leaves room for the tag.
constexpr std::size_t kMaxRootBytes = 88;
constexpr std::string_view kShortened = "...";

const IfName& key() {
  static const IfName kKey = IfName::parse("root").value();  // of nft's types the one for a word
  return kKey;
}

// Refuses `own` where `found` is another instance's.
Status check(const Claim& own, const std::optional<Claim>& found) {
  if (!found || found->instance == own.instance) return {};
  if (found->root == own.root)
    return fail(
        ErrorKind::kInUse,
        "this network namespace has the networks of an earlier instance in {}, whose store is "
        "gone: take them down with `berth system reset --foreign`",
        found->root);
  return fail(ErrorKind::kInUse,
              "this network namespace belongs to the instance of berth in {}: use that one (--root "
              "{}) or another network namespace; if that instance is lost, take down what it left "
              "with `berth system reset --foreign`",
              found->root, found->root);
}

}  // namespace

Claim own_claim(const Instance& instance) {
  auto root = instance.config.root;
  if (root.size() > kMaxRootBytes)
    root.replace(0, root.size() - kMaxRootBytes + kShortened.size(), kShortened);
  return {firewall::comment_of(root), instance.tag};
}

nft::Element claim_element(const Claim& claim) {
  return {.set = std::string(firewall::kInstance),
          .key = {key()},
          .comment = fmt::format("{} {}", claim.root, claim.instance)};
}

Result<std::optional<Claim>> read_claim(Instance& instance) {
  const auto& sets = firewall::table().sets;
  const auto spec = std::ranges::find(sets, firewall::kInstance, &nft::SetSpec::name);
  const auto listed =
      TRY(instance.kernel.nft())->list_elements(std::string(firewall::kTable), *spec);
  if (!listed && listed.error().kind == ErrorKind::kNotFound) return std::nullopt;
  if (!listed && instance.config.only_plan && listed.error().kind == ErrorKind::kPermission)
    return std::nullopt;
  for (const auto& element : TRY(listed)) {
    const auto blank = element.comment.rfind(' ');
    if (element.key.front() != nft::Field(key()) || blank == std::string::npos) continue;
    return Claim{element.comment.substr(0, blank), element.comment.substr(blank + 1)};
  }
  return std::nullopt;
}

Result<plan::Plan> claim_namespace(Instance& instance) {
  const auto own = own_claim(instance);
  const auto found = TRY(read_claim(instance));
  if (!instance.config.only_plan) TRY(check(own, found));  // nothing is made of a plan
  if (found == own) return plan::Plan{};
  return plan::Plan{plan::AddElement{claim_element(own)}};
}

}  // namespace berth::engine
