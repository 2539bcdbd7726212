#include "kernel/port/socket_table.h"

#include <gtest/gtest.h>

namespace berth::kernel {
namespace {

// As a little-endian machine prints it.
TEST(SocketTable, ReadsWhatTheKernelPrints) {
  const auto entries = parse_socket_table(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
      "17203 1 00000000d1b0a8a1 100 0 0 10 0\n"
      "   1: 0264A8C0:A1B2 0100007F:1F90 06 00000000:00000000 03:000012C1 00000000     0        0 "
      "0 "
      "3 000000003b7ae5a2\n");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].address.str(), "127.0.0.1");
  EXPECT_EQ(entries[0].port, 8080);
  EXPECT_EQ(entries[0].state, kSocketListening);
  EXPECT_EQ(entries[0].inode, 17203U);
  EXPECT_EQ(entries[1].address.str(), "192.168.100.2");
  EXPECT_EQ(entries[1].port, 0xA1B2);
  EXPECT_NE(entries[1].state, kSocketListening);
}

TEST(SocketTable, ReadsIpv6) {
  const auto entries = parse_socket_table(
      "   0: 000000FD000000000000000001000000:0035 00000000000000000000000000000000:0000 07 "
      "00000000:00000000 00:00000000 00000000   0   0 42 2 0 0\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].address.str(), "fd00::1");
  EXPECT_EQ(entries[0].port, 53);
}

TEST(SocketTable, UnwrapsIpv4InIpv6) {
  const auto entries = parse_socket_table(
      "   0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:A1B2 06 "
      "00000000:00000000 03:00001770 00000000     0        0 0 3 00000000\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].address.str(), "127.0.0.1");
}

TEST(SocketTable, PassesOverOtherLines) {
  EXPECT_TRUE(parse_socket_table("").empty());
  EXPECT_TRUE(parse_socket_table("\n\n0: \n0: zz:zz 0 0A\n").empty());
  EXPECT_TRUE(parse_socket_table("0: 0100007F:1F90 00000000:0000 0A 0 0 0 0 0 17x").empty());
  EXPECT_TRUE(parse_socket_table("0: 0100007F:11F90 00000000:0000 0A 0 0 0 0 0 17").empty());
}

}  // namespace
}  // namespace berth::kernel
