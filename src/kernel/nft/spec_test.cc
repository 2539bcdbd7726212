#include "kernel/nft/spec.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>

namespace berth::nft {
namespace {

TEST(Rule, IsWrittenAsNftWritesIt) {
  const Cidr subnet = Cidr::parse("10.1.2.0/23").value();
  const IfName loopback = IfName::parse("lo").value();
  const Rule rule("why", {in_set({Key::kIifname, Key::kOifname}, "pair"),
                          not_in_set({Key::kOifname}, "bridges"), in_prefix(Key::kIpSaddr, subnet),
                          not_in_prefix(Key::kIpDaddr, subnet),
                          interface_is_not(Key::kOifname, loopback), jump("user")});
  EXPECT_EQ(rule.text(),
            "iifname . oifname @pair oifname != @bridges ip saddr 10.1.2.0/23 "
            "ip daddr != 10.1.2.0/23 oifname != \"lo\" jump user comment \"why\"");
}

TEST(Rule, ItsFingerprintTellsVersionsApart) {
  const Rule rule("why", {drop()});
  EXPECT_EQ(rule.fingerprint(), Rule("why", {drop()}).fingerprint());
  EXPECT_NE(rule.fingerprint(), Rule("why", {accept()}).fingerprint());
  EXPECT_NE(rule.fingerprint(), Rule("why not", {drop()}).fingerprint());
  EXPECT_EQ(fingerprint_in({}), 0U);
}

TEST(TableSpec, IsWrittenAsNftReadsIt) {
  const TableSpec table{
      .name = "t",
      .sets = {{.name = "plain", .key = {FieldType::kIfName}},
               {.name = "prefixes", .key = {FieldType::kIpv6}, .interval = true},
               {.name = "map",
                .key = {FieldType::kProtocol, FieldType::kPort},
                .data = {FieldType::kIpv4}},
               {.name = "verdicts", .key = {FieldType::kIfName}, .verdicts = true}},
      .chains = {{.name = "mine"},
                 {.name = "base",
                  .hook = Hook{"filter", NF_INET_LOCAL_IN, -5},
                  .rules = {Rule("why", {drop()})}}}};
  EXPECT_EQ(text(table),
            "table inet t {\n"
            "\tset plain {\n\t\ttype ifname\n\t}\n"
            "\tset prefixes {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t}\n"
            "\tmap map {\n\t\ttype inet_proto . inet_service : ipv4_addr\n\t}\n"
            "\tmap verdicts {\n\t\ttype ifname : verdict\n\t}\n"
            "\tchain mine {\n\t}\n"
            "\tchain base {\n"
            "\t\ttype filter hook input priority -5; policy accept;\n"
            "\t\tdrop comment \"why\"\n"
            "\t}\n"
            "}\n");
}

TEST(Commands, NameTableSetAndElement) {
  const Element element{.set = "bridges", .key = {IfName::parse("br0").value()}, .comment = "web"};
  EXPECT_EQ(add_command("t", element), "add element inet t bridges { \"br0\" comment \"web\" }");
  EXPECT_EQ(delete_command("t", element), "delete element inet t bridges { \"br0\" }");
}

}  // namespace
}  // namespace berth::nft
