// berth version
#include <sys/utsname.h>

#include <cerrno>
#include <memory>

#include "base/result.h"
#include "frontends/cli/listing.h"
#include "frontends/cli/options.h"
#include "frontends/cli/verbs.h"
#include "frontends/cli/version.h"

namespace berth::cli {
namespace {

Action build_version(CLI::App& app) {
  auto format = std::make_shared<std::string>();
  add_text(app, "-f,--format", "FORMAT", *format, "json or a template, as {{.Client.Version}}");
  return [format](Context&) -> Result<int> {
    TRY(print_version(*format));
    return kExitOk;
  };
}

}  // namespace

Status print_version(std::string_view format) {
  utsname system{};
  if (::uname(&system) != 0) return fail_sys(errno, "ask for the kernel's version");
  // No daemon, so there is a client only.
  const Listing::Json form = {{"Client",
                               {{"Version", BERTH_VERSION},
                                {"Os", "linux"},
                                {"Arch", system.machine},
                                {"KernelVersion", system.release}}}};
  return print_form(format, form, "berth version " BERTH_VERSION "\n");
}

constinit const Verb kVersionVerb = {
    .name = "version",
    .summary = "Print the version",
    .examples =
        "berth version\n"
        "berth version --format json\n"
        "berth version --format '{{.Client.Version}}'\n",
    .build = build_version,
};

}  // namespace berth::cli
