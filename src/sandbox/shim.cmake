# berth-shim, and what it shares with the library. Included by src/CMakeLists.txt after the module.

set(shim_dir ${PROJECT_SOURCE_DIR}/src/sandbox/shim)

# What a forked child does before it execs is the same for `berth run` (in the shim) and `berth exec`.
target_sources(berth_sandbox PRIVATE ${shim_dir}/etc.cc ${shim_dir}/failure.cc
                                     ${shim_dir}/launch.cc ${shim_dir}/mount_steps.cc
                                     ${shim_dir}/mounts.cc ${shim_dir}/privileges.cc)

# One runs per sandbox, so it is small: static, no C++ runtime, no sanitizers.
add_executable(berth-shim ${PROJECT_SOURCE_DIR}/apps/berth_shim.cc ${shim_dir}/etc.cc
                          ${shim_dir}/failure.cc ${shim_dir}/init.cc ${shim_dir}/launch.cc
                          ${shim_dir}/log_writer.cc ${shim_dir}/mount_steps.cc ${shim_dir}/mounts.cc
                          ${shim_dir}/options.cc ${shim_dir}/privileges.cc ${shim_dir}/streams.cc)
target_include_directories(berth-shim PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(berth-shim PRIVATE -Os -fno-exceptions -fno-rtti -fno-threadsafe-statics
                                          -ffunction-sections -fno-pie -fno-sanitize=all)
target_link_options(berth-shim PRIVATE -static -no-pie -Wl,--gc-sections -fno-sanitize=all)
set_target_properties(berth-shim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(BERTH_TESTS)
  target_sources(berth_sandbox_test PRIVATE ${shim_dir}/log_writer.cc ${shim_dir}/log_writer_test.cc)

  file(GLOB netns_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/sandbox/*.cc)
  add_executable(berth_sandbox_netns_test ${netns_tests})
  target_link_libraries(berth_sandbox_netns_test PRIVATE berth_sandbox GTest::gtest)
  berth_precompiled(berth_sandbox_netns_test berth_base_test)
  target_compile_definitions(berth_sandbox_netns_test
                             PRIVATE BERTH_SHIM="$<TARGET_FILE:berth-shim>")
  add_dependencies(berth_sandbox_netns_test berth-shim)
  add_test(NAME netns.sandbox COMMAND berth_sandbox_netns_test)
  # 77: the machine does not allow private namespaces (the test says what is missing).
  set_tests_properties(netns.sandbox PROPERTIES LABELS netns TIMEOUT 120 SKIP_RETURN_CODE 77)
endif()
