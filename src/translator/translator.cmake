# The translator's program: compiled for the kernel's BPF machine, embedded into the library, and put
# beside the programs for the printed plan to name. Included by src/CMakeLists.txt after the module.
find_program(BPF_GCC bpf-gcc)
find_program(BPF_OBJCOPY bpf-objcopy)
if(NOT BPF_GCC OR NOT BPF_OBJCOPY)
  message(FATAL_ERROR "The translator between IPv6 and IPv4 needs a compiler for BPF: install "
                      "gcc-bpf, which has bpf-gcc and brings bpf-objcopy.")
endif()

set(translator_dir ${PROJECT_SOURCE_DIR}/src/translator)
set(translator_object ${CMAKE_BINARY_DIR}/bin/berth-translate.o)
set(translator_sections ${CMAKE_CURRENT_BINARY_DIR}/translate)
set(translator_embedded ${CMAKE_CURRENT_BINARY_DIR}/translate_program.cc)
if(CMAKE_CXX_BYTE_ORDER STREQUAL BIG_ENDIAN)
  set(bpf_endian -mbig-endian)
else()
  set(bpf_endian -mlittle-endian)
endif()
# The kernel's headers are the build machine's: those for the host's architecture, where Debian
# keeps them apart.
add_custom_command(
  OUTPUT ${translator_object} ${translator_embedded}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/bin
  COMMAND ${BPF_GCC} -O2 -g0 ${bpf_endian} -Wall -Wextra -I${PROJECT_SOURCE_DIR}/src
          -idirafter /usr/include/${CMAKE_CXX_LIBRARY_ARCHITECTURE} -idirafter /usr/include
          -c ${translator_dir}/translate.bpf.c -o ${translator_object}
  COMMAND ${BPF_OBJCOPY} -O binary -j to4 ${translator_object} ${translator_sections}.to4
  COMMAND ${BPF_OBJCOPY} -O binary -j to6 ${translator_object} ${translator_sections}.to6
  COMMAND ${CMAKE_COMMAND} -DPREFIX=${translator_sections} -DBYTE_ORDER=${CMAKE_CXX_BYTE_ORDER}
          -DOUT=${translator_embedded} -P ${translator_dir}/embed.cmake
  DEPENDS ${translator_dir}/translate.bpf.c ${translator_dir}/addresses.h
          ${translator_dir}/embed.cmake
  VERBATIM)
target_sources(berth_translator PRIVATE ${translator_embedded})
