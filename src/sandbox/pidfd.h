// <sys/pidfd.h> for C++: in glibc 2.36 it does not say extern "C" itself.
#pragma once

#include <fcntl.h>
#include <signal.h>  // NOLINT: siginfo_t, which the C header takes from here

extern "C" {
#include <sys/pidfd.h>
}
