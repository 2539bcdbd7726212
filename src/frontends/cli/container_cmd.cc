// berth container: the verbs for sandboxes, grouped as Docker groups them.
#include <array>

#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

constexpr std::array kVerbs = {&kPsVerb,   &kRunVerb,  &kInspectVerb, &kExecVerb,
                               &kLogsVerb, &kStopVerb, &kRmVerb,      &kPortVerb};

}  // namespace

constinit const Verb kContainerVerb = {
    .name = "container",
    .summary = "Manage sandboxes: the same verbs, grouped as Docker groups them",
    .examples = "berth container ls\n",
    .hidden = true,  // each of its verbs is listed once
    .verbs = kVerbs,
};

}  // namespace berth::cli
