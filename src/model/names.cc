#include <array>

#include "berth/network.h"

namespace berth {

std::string_view name(Driver driver) {
  switch (driver) {
    case Driver::kBridge:
      return "bridge";
    case Driver::kHost:
      return "host";
    case Driver::kNone:
      return "null";
  }
  return "unknown";
}

std::string_view name(SandboxState state) {
  switch (state) {
    case SandboxState::kCreated:
      return "created";
    case SandboxState::kRunning:
      return "running";
    case SandboxState::kExited:
      return "exited";
  }
  return "unknown";
}

}  // namespace berth
