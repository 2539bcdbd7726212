// The command line as a whole, as far as it goes without an instance: what is parsed and refused,
// and what is generated from the tree of verbs.
#include "frontends/cli/cli.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "frontends/cli/completion.h"
#include "frontends/cli/help.h"
#include "frontends/cli/man.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

using Words = std::vector<std::string>;

// No test may come to the instance of the machine it runs on: where no other is named, the root is
// one that cannot be made.
class NoInstance : public testing::Environment {
 public:
  void SetUp() override {
    ::setenv("BERTH_ROOT", "/dev/null/root", 1);
    ::setenv("BERTH_RUN", "/dev/null/run", 1);
  }
};
const auto* const kNoInstance = testing::AddGlobalTestEnvironment(new NoInstance);

struct Ran {
  int exit_code;
  std::string out, err;
};

Ran ran(const Words& words) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int exit_code = run(words);
  return {exit_code, testing::internal::GetCapturedStdout(),
          testing::internal::GetCapturedStderr()};
}

// A directory of its own for each test.
class Cli : public testing::Test {
 protected:
  Cli() {
    char name[] = "/tmp/berth-cli-test-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~Cli() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string write(const std::string& name, std::string_view text) const {
    const auto path = directory_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  std::string directory_;
};

TEST(Walk, FindsTheVerbPastGlobalOptions) {
  const auto at = walk(Words{"--root", "ps", "network", "--run=/r", "rm", "-f", "web"});
  EXPECT_EQ(full_name(at.path), "berth network rm");
  EXPECT_EQ(at.rest, (Words{"--root", "ps", "--run=/r", "-f", "web"}));
}

TEST(Walk, TakesAliasesAndLeavesArgumentsAlone) {
  EXPECT_EQ(full_name(walk(Words{"network", "remove", "ls"}).path), "berth network rm");
  EXPECT_EQ(walk(Words{"network", "rm", "ls"}).rest, Words{"ls"});
  EXPECT_EQ(walk(Words{"network", "web"}).unknown, "web");
}

TEST(Usage, ErrorsAreOneSentenceWithAHint) {
  const auto unknown = ran({"frobnicate"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_EQ(unknown.out, "");
  EXPECT_EQ(
      unknown.err,
      "berth: unknown verb 'frobnicate'; the verbs are network, run, ps, inspect, exec, logs, "
      "stop, rm, port, publish, unpublish, attach, detach, sandbox, plan, system, lab, help, "
      "completion, "
      "version; see 'berth "
      "--help'\n");
  EXPECT_EQ(ran({"network"}).err,
            "berth: network: the verb is missing; the verbs are create, ls, inspect, rm, connect, "
            "disconnect, update, prune, exists; see 'berth network --help'\n");
  EXPECT_EQ(ran({"network", "rm", "--all", "x"}).err,
            "berth: network rm: unknown flag --all; see 'berth network rm --help'\n");
  EXPECT_EQ(ran({"--rot", "/x", "ps"}).exit_code, 2);
  EXPECT_EQ(ran({"netwrok", "ls"}).err,
            "berth: unknown verb 'netwrok' (did you mean 'network'?); see 'berth --help'\n");
  EXPECT_EQ(
      ran({"network", "rm", "--froce", "x"}).err,
      "berth: network rm: unknown flag --froce (did you mean '--force'?); see 'berth network rm "
      "--help'\n");
}

TEST(Usage, DockersOtherNamesOfVerbsLeadToThem) {
  EXPECT_EQ(ran({"network", "delete", "--help"}).out, ran({"network", "rm", "--help"}).out);
  EXPECT_EQ(ran({"network", "remove", "--help"}).out, ran({"network", "rm", "--help"}).out);
  EXPECT_TRUE(ran({"container", "ls", "--help"}).out.starts_with("Usage: berth container ps"));
}

TEST(Usage, RunAndExecHaveDockersExitCode) {
  EXPECT_EQ(ran({"run"}).exit_code, 125);
  EXPECT_EQ(ran({"exec", "web"}).exit_code, 125);
  EXPECT_EQ(ran({"run", "--ip", "x", "true"}).exit_code, 125);
}

TEST(Usage, BadValuesAreRefusals) {
  EXPECT_EQ(ran({"network", "create", "--subnet", "x", "web"}).exit_code, 1);
  EXPECT_EQ(ran({"network", "ls", "--filter", "size=1"}).exit_code, 1);
  const auto flag = ran({"network", "create", "--internal=maybe", "web"});
  EXPECT_EQ(flag.exit_code, 1);
  EXPECT_EQ(flag.err, "berth: --internal maybe: the value is not true or false\n");
  EXPECT_EQ(ran({"run", "--rm=maybe", "true"}).exit_code, 125);
  EXPECT_TRUE(ran({"ps", "--format", "{{.Nope}}"}).err.starts_with("berth: template, column 3:"));
  EXPECT_EQ(ran({"stop", "-t", "soon", "web"}).err,
            "berth: --time soon: the value is not a whole number from 0 to 86400\n");
}

TEST(Publish, NeedsPorts) {
  for (const auto* verb : {"publish", "unpublish"}) {
    EXPECT_EQ(ran({verb, "web"}).err, "berth: which ports? give --publish, as in -p 8080:80\n");
    EXPECT_EQ(ran({verb, "-p", "80:x", "web"}).exit_code, 1);
    EXPECT_EQ(ran({verb}).exit_code, 2);
  }
}

TEST(Version, IsPrinted) {
  const auto version = ran({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out, "berth version " BERTH_VERSION "\n");
  EXPECT_EQ(ran({"version"}).out, version.out);
  const auto json = ran({"version", "--format", "json"});
  EXPECT_TRUE(json.out.starts_with(R"({"Client":{"Version":")" BERTH_VERSION "\"")) << json.out;
  EXPECT_EQ(ran({"--version", "--format", "json"}).out, json.out);
  EXPECT_EQ(ran({"--version", "--format={{.Client.Os}}"}).out, "linux\n");
  EXPECT_EQ(ran({"version", "--format", "{{.Nope}}"}).exit_code, 1);
}

TEST(Help, IsShownInEveryWay) {
  const auto help = ran({"network", "create", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_TRUE(help.out.starts_with("Usage: berth network create [OPTIONS] NAME\n"));
  EXPECT_EQ(ran({"help", "network", "create"}).out, help.out);
  EXPECT_EQ(ran({"network", "create", "-h"}).out, help.out);
  EXPECT_EQ(ran({"plan", "network", "create", "--help"}).out, help.out);
  EXPECT_EQ(ran({}).out, ran({"--help"}).out);
  EXPECT_EQ(ran({"help"}).out, ran({"--help"}).out);
  EXPECT_NE(ran({}).out.find("--version"), std::string::npos);
  EXPECT_EQ(ran({"help", "nothing"}).exit_code, 2);
}

TEST(Help, EveryVerbHasExamplesAndAllItsOptions) {
  for_each_verb([](std::span<const Verb* const> path) {
    const auto help = help_text(path);
    const auto name = full_name(path);
    EXPECT_NE(help.find("\nExamples:\n  "), std::string::npos) << name;
    EXPECT_NE(path.back()->examples.find(name.substr(0, name.find(" help"))), std::string::npos)
        << name << " is not in its own examples";
    EXPECT_TRUE(path.back()->examples.ends_with('\n')) << name;
    for (const auto& item : items_of(*path.back())) {
      EXPECT_NE(help.find(spelled(item)), std::string::npos) << name << ": " << spelled(item);
      EXPECT_FALSE(item.help.empty()) << name << ": " << spelled(item);
    }
    for (std::size_t at = 0; at < help.size();) {
      const auto end = help.find('\n', at);
      const auto line = help.substr(at, end - at);
      if (!line.starts_with("  berth ")) {
        EXPECT_LE(line.size(), 100U) << name << ": " << line;
      }
      at = end + 1;
    }
  });
}

TEST(Help, EveryExampleIsParsed) {
  for_each_verb([](std::span<const Verb* const> path) {
    for (auto examples = path.back()->examples; !examples.empty();) {
      const auto end = examples.find('\n');
      const std::string example(examples.substr(0, end));
      examples.remove_prefix(end + 1);
      // A shell splits the line into words, quotes and all.
      if (!example.starts_with("berth ") || example.find_first_of(">$") != std::string::npos)
        continue;
      auto* words = ::popen(("set -- " + example + "; printf '%s\\n' \"$@\"").c_str(), "r");
      Words split;
      char line[4096];
      while (std::fgets(line, sizeof line, words) != nullptr)
        split.emplace_back(line, std::string_view(line).size() - 1);
      ::pclose(words);
      split.erase(split.begin());
      const auto at = walk(split);
      EXPECT_EQ(at.unknown, "") << example;
      if (at.verb().is_group()) continue;
      Context context;
      const auto wanted = Parser(at.verb(), context).parse(at.rest);
      EXPECT_TRUE(wanted) << example << ": " << wanted.error().sentence;
    }
  });
}

TEST(Changing, VerbsTakeDryRun) {
  for (const auto& words : {Words{"network", "create"}, Words{"network", "rm"},
                            Words{"network", "connect"}, Words{"network", "disconnect"},
                            Words{"run"}, Words{"rm"}, Words{"stop"}, Words{"sandbox", "create"},
                            Words{"sandbox", "rm"}, Words{"lab", "up"}, Words{"lab", "down"}}) {
    const auto at = walk(words);
    EXPECT_NE(help_text(at.path).find("--dry-run"), std::string::npos) << full_name(at.path);
  }
}

TEST(Plan, OfAVerbThatChangesNothingIsAComment) {
  const auto plan = ran({"plan", "network", "ls"});
  EXPECT_EQ(plan.exit_code, 0);
  EXPECT_TRUE(plan.out.starts_with("# berth network ls: there is nothing to plan")) << plan.out;
}

TEST(Plan, ReportsTheVerbsOwnUsageErrors) {
  EXPECT_TRUE(
      ran({"plan", "network", "crate"})
          .err.starts_with("berth: network: unknown verb 'crate' (did you mean 'create'?)"));
  EXPECT_EQ(ran({"plan", "run"}).exit_code, 125);
}

TEST_F(Cli, ConfigurationGivesThePools) {
  Context context;
  context.config =
      write("config.json", R"({"default-address-pools":[{"base":"172.30.0.0/16","size":24}]})");
  const auto settings = context.settings();
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_EQ(settings->pools.size(), 1U);
  EXPECT_EQ(settings->pools[0], (AddressPool{*Cidr::parse("172.30.0.0/16"), 24}));
  context.pools = {"base=10.0.0.0/8,size=20"};
  EXPECT_EQ(context.settings()->pools[0], (AddressPool{*Cidr::parse("10.0.0.0/8"), 20}));
}

TEST_F(Cli, ConfigurationIsRefusedWhereItIsWrong) {
  const auto refused = [&](std::string_view text) {
    Context context;
    context.config = write("config.json", text);
    const auto settings = context.settings();
    return settings ? "accepted" : settings.error().message;
  };
  EXPECT_NE(refused(R"({"pools":[]})").find("unknown key 'pools': there is default-address-pools"),
            std::string::npos);
  EXPECT_NE(refused(R"({"default-address-pools":[{"base":"172.30.0.1/16","size":24}]})")
                .find("invalid subnet 172.30.0.1/16: it should be 172.30.0.0/16"),
            std::string::npos);
  EXPECT_NE(refused(R"({"default-address-pools":[{"base":"172.30.0.0/16","size":8}]})")
                .find("size 8 is not possible"),
            std::string::npos);
  EXPECT_NE(refused(R"({"default-address-pools":[{"base":"172.30.0.0/16"}]})"), "accepted");
  EXPECT_NE(refused("{"), "accepted");
  Context context;
  context.config = directory_ + "/missing.json";
  EXPECT_FALSE(context.settings());
  context = {};
  context.pools = {"172.30.0.0/16"};
  EXPECT_EQ(
      context.settings().error().message,
      "--default-address-pool: address pool '172.30.0.0/16': '172.30.0.0/16' is not expected: "
      "give one base= and one size=, as in base=172.30.0.0/16,size=24");
}

TEST_F(Cli, OptionsComeBeforeTheEnvironment) {
  ::setenv("BERTH_ROOT", "/from/environment", 1);
  Context context;
  EXPECT_EQ(context.settings()->root, "/from/environment");
  context.root = "/from/option";
  EXPECT_EQ(context.settings()->root, "/from/option");
  ::setenv("BERTH_ROOT", "", 1);
  context.root.clear();
  EXPECT_EQ(context.settings()->root, "/var/lib/berth");
  ::setenv("BERTH_ROOT", "/dev/null/root", 1);
}

std::string completed(const Words& words) {
  const Names names = [](const Context& context, std::string_view type) {
    return type == "NETWORK" ? Words{"bridge", "web"} : Words{"server" + context.root};
  };
  std::string out;
  const auto lines = complete(words, names);
  for (std::size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1)
    out += lines.substr(at, lines.find('\t', at) - at) + " ";
  return out;
}

TEST(Completion, OffersVerbsOptionsAndNames) {
  EXPECT_EQ(completed({"net"}), "network ");
  EXPECT_EQ(completed({"network", "c"}), "create connect ");
  EXPECT_EQ(completed({"network", "create", "--int"}), "--internal ");
  EXPECT_EQ(completed({"network", "rm", "bridge", ""}), "bridge web ");
  EXPECT_EQ(completed({"network", "connect", "web", ""}), "server ");
  EXPECT_EQ(completed({"network", "connect", "web", "server", ""}), "");
  EXPECT_EQ(completed({"run", "--network", "w"}), "web ");
  EXPECT_EQ(completed({"run", "--network", "=", "w"}), "web ");
  EXPECT_EQ(completed({"run", "-de", ""}), "");
  EXPECT_EQ(completed({"--root", "/a", "rm", ""}), "server/a ");
  EXPECT_EQ(completed({"completion", ""}), "bash zsh fish ");
  EXPECT_EQ(completed({"plan", "network", "r"}), "rm ");
  EXPECT_EQ(completed({"plan", "ru"}), "run ");
  EXPECT_EQ(completed({"plan", "lab", "up", "--d"}), "--dry-run --default-address-pool ");
  EXPECT_EQ(completed({"ps", "--la"}), "--last --latest ");
  EXPECT_EQ(completed({"exec", "--u"}), "--user ");
  EXPECT_EQ(completed({"exec", "-u", "root", ""}), "server ");
  EXPECT_EQ(completed({"vers"}), "version ");
  EXPECT_EQ(completed({"nonsense", ""}), "");
  EXPECT_EQ(completed({"__"}), "");
}

TEST_F(Cli, CompletionScriptsParse) {
  const auto path = write("berth.bash", *completion_script("bash"));
  EXPECT_EQ(std::system(("bash -n " + path).c_str()), 0);
  for (const std::string shell : {"zsh", "fish"}) {
    if (std::system(("command -v " + shell + " >/dev/null 2>&1").c_str()) != 0) continue;
    const auto script = write(shell, *completion_script(shell));
    EXPECT_EQ(std::system((shell + " -n " + script).c_str()), 0);
  }
  EXPECT_EQ(completion_script("tcsh").error().message,
            "completion: there is no script for 'tcsh'; give bash, zsh or fish");
}

TEST_F(Cli, CompletionWorksInBash) {
  // A program called berth that answers as ours does, for the script to ask.
  const auto script = write("script", *completion_script("bash"));
  const auto program = write("berth",
                             "#!/bin/sh\n[ \"$*\" = '__complete -- network c' ] && "
                             "printf 'create\\ta\\nconnect\\tb\\n'\n");
  const auto test =
      write("test", "source " + script + "\nchmod +x " + program + "\nCOMP_WORDS=(" + program +
                        " network c) COMP_CWORD=2; _berth; "
                        "[ \"${COMPREPLY[*]}\" = 'create connect' ]\n");
  EXPECT_EQ(std::system(("bash " + test).c_str()), 0);
}

TEST_F(Cli, ManPagesAreCleanRoff) {
  if (std::system("command -v groff >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "groff is not installed";
  ASSERT_EQ(ran({"man", directory_}).exit_code, 0);
  int pages = 0;
  for_each_verb([&](std::span<const Verb* const> path) {
    const auto file = directory_ + "/" + man_name(path) + ".1";
    const auto log = directory_ + "/log";
    EXPECT_EQ(std::system(("groff -ww -z -man -Tutf8 " + file + " 2>" + log).c_str()), 0) << file;
    EXPECT_EQ(std::filesystem::file_size(log), 0U) << file;
    ++pages;
  });
  EXPECT_GT(pages, 20);
}

TEST(ManPage, HasTheWordsOfTheHelp) {
  const auto page = man_page(walk(Words{"network", "create"}).path);
  EXPECT_NE(page.find(".TH BERTH\\-NETWORK\\-CREATE 1"), std::string::npos);
  EXPECT_NE(page.find("\\-\\-ip\\-range RANGE"), std::string::npos);
  EXPECT_NE(page.find(".SH EXAMPLES\n.nf\nberth network create web\n"), std::string::npos);
}

}  // namespace
}  // namespace berth::cli
