// What is behind the public Engine, for the engine's own entry points and for tests that inject
// faults.
#pragma once

#include "berth/engine.h"
#include "engine/instance.h"

namespace berth {

class Engine::Impl : public engine::Instance {};

struct EngineAccess {
  static engine::Instance& instance(Engine& engine) { return *engine.impl_; }
};

}  // namespace berth
