// The translator's addresses as numbers, for the program in the kernel (C) and for what sets it up.
#pragma once

// 64:ff9b:1::/96, before the IPv4 address: of the prefix for translation within one site
// (RFC 8215), in RFC 6052's form.
#define BERTH_PREFIX_0 0x0064ff9bu
#define BERTH_PREFIX_1 0x00010000u

// Whom IPv6 packets come from on their way through the translator: 64:ff9b:1:ffff::1.
#define BERTH_CLIENT6_0 0x0064ff9bu
#define BERTH_CLIENT6_1 0x0001ffffu
#define BERTH_CLIENT6_3 0x00000001u

// And IPv4 packets: 192.0.0.4, of the range for translators on one host (RFC 7335).
#define BERTH_CLIENT4 0xc0000004u
