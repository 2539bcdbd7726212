#include "kernel/nft/user_data.h"

#include <gtest/gtest.h>

namespace berth::nft {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(UserData, IsTypeLengthValue) {
  UserData data;
  data.put_string(0, "ab");
  data.put_u32(7, 0x01010101);
  EXPECT_EQ(Bytes(data.bytes().begin(), data.bytes().end()),
            (Bytes{0, 3, 'a', 'b', 0, 7, 4, 1, 1, 1, 1}));
  EXPECT_EQ(find_user_text(data.bytes(), 0), "ab");
  EXPECT_EQ(find_user_data(data.bytes(), 7)->size(), 4U);
  EXPECT_FALSE(find_user_data(data.bytes(), 1));
}

TEST(UserData, WhatIsCutOffIsAbsent) {
  const Bytes cut{0, 3, 'a', 'b'};
  for (std::size_t size = 0; size <= cut.size(); ++size) {
    EXPECT_FALSE(find_user_data(std::span(cut).first(size), 0)) << size;
  }
  EXPECT_EQ(find_user_text(cut, 0), "");
}

TEST(UserData, ATextNeedsNoZeroByte) {
  EXPECT_EQ(find_user_text(Bytes{0, 2, 'a', 'b'}, 0), "ab");
}

}  // namespace
}  // namespace berth::nft
