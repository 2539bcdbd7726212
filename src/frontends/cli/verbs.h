// The verbs of `berth`, each declared in the *_cmd.cc of its group.
#pragma once

#include "frontends/cli/verb.h"

namespace berth::cli {

extern const Verb kNetworkVerb;         // network_cmd.cc
extern const Verb kNetworkLsVerb;       // network_list_cmd.cc
extern const Verb kNetworkInspectVerb;  // network_list_cmd.cc
extern const Verb kNetworkUpdateVerb;   // network_manage_cmd.cc
extern const Verb kNetworkPruneVerb;    // network_manage_cmd.cc
extern const Verb kNetworkExistsVerb;   // network_manage_cmd.cc
extern const Verb kAttachVerb;          // attach_cmd.cc
extern const Verb kDetachVerb;          // attach_cmd.cc
extern const Verb kRunVerb;             // run_cmd.cc
extern const Verb kPsVerb;              // ps_cmd.cc
extern const Verb kContainerVerb;       // container_cmd.cc
extern const Verb kInspectVerb;         // inspect_cmd.cc
extern const Verb kExecVerb;            // exec_cmd.cc
extern const Verb kLogsVerb;            // logs_cmd.cc
extern const Verb kStopVerb;            // lifecycle_cmd.cc
extern const Verb kRmVerb;              // lifecycle_cmd.cc
extern const Verb kPortVerb;            // port_cmd.cc
extern const Verb kPublishVerb;         // publish_cmd.cc
extern const Verb kUnpublishVerb;       // publish_cmd.cc
extern const Verb kSandboxVerb;         // sandbox_cmd.cc
extern const Verb kSystemVerb;          // system_cmd.cc
extern const Verb kLabVerb;             // lab_cmd.cc
extern const Verb kVersionVerb;         // version_cmd.cc
extern const Verb kPlanVerb;            // meta_cmd.cc
extern const Verb kHelpVerb;            // meta_cmd.cc
extern const Verb kCompletionVerb;      // meta_cmd.cc
extern const Verb kCompleteVerb;        // meta_cmd.cc
extern const Verb kManVerb;             // meta_cmd.cc

/// Calls `visit` with the path of kRoot and of every verb below it that is not hidden.
void for_each_verb(const std::function<void(std::span<const Verb* const>)>& visit);

}  // namespace berth::cli
