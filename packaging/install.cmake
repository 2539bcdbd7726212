# What `cmake --install` makes of a build: the programs, their manual pages and completions, the unit
# that reconciles at boot, and the library with its headers. Two components, which are also the two Debian
# packages: programs (berth) and library (libberth-dev). Included by CMakeLists.txt.
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME programs)

# ---- programs ---------------------------------------------------------------------------------------

install(TARGETS berth DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS berth-shim DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/berth)
install(FILES ${CMAKE_BINARY_DIR}/bin/berth-translate.o DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/berth)

# berth writes its manual pages and completions itself.
set(pages ${CMAKE_BINARY_DIR}/pages)
add_custom_command(
  OUTPUT ${pages}/.written
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${pages}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${pages}
  COMMAND berth man ${pages}/man
  COMMAND berth completion bash > ${pages}/bash
  COMMAND berth completion zsh > ${pages}/zsh
  COMMAND berth completion fish > ${pages}/fish
  COMMAND ${CMAKE_COMMAND} -E touch ${pages}/.written
  DEPENDS berth
)
add_custom_target(berth_pages ALL DEPENDS ${pages}/.written)
install(DIRECTORY ${pages}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${pages}/bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME berth)
install(FILES ${pages}/zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions RENAME _berth)
install(FILES ${pages}/fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d RENAME berth.fish)

# When it is installed, since only then the prefix is known: cmake --install --prefix.
install(CODE "configure_file(\"${CMAKE_CURRENT_LIST_DIR}/berth.service.in\"
                             \"${CMAKE_BINARY_DIR}/berth.service\" @ONLY)")
install(FILES ${CMAKE_BINARY_DIR}/berth.service DESTINATION lib/systemd/system)

# ---- library ----------------------------------------------------------------------------------------

# One archive of the engine and all that it is made of (docs/adr/0009-static-library.md).
get_property(modules GLOBAL PROPERTY BERTH_MODULES)
list(REMOVE_ITEM modules berth_docker_form berth_lab berth_cli)
list(TRANSFORM modules REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
add_library(libberth STATIC ${objects})
set_target_properties(libberth PROPERTIES OUTPUT_NAME berth EXPORT_NAME berth LINKER_LANGUAGE CXX)
target_compile_features(libberth INTERFACE cxx_std_23)
target_include_directories(libberth INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set(library_needs nftnl mnl sqlite3 m)
target_link_libraries(libberth INTERFACE "$<INSTALL_INTERFACE:${library_needs}>")
install(TARGETS libberth EXPORT berth DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/berth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT library)

set(cmake_package ${CMAKE_INSTALL_LIBDIR}/cmake/berth)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/berthConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(EXPORT berth NAMESPACE berth:: FILE berthConfig.cmake DESTINATION ${cmake_package}
        COMPONENT library)
install(FILES ${CMAKE_BINARY_DIR}/berthConfigVersion.cmake DESTINATION ${cmake_package}
        COMPONENT library)

file(RELATIVE_PATH prefix_from_pkgconfig /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
list(TRANSFORM library_needs PREPEND -l OUTPUT_VARIABLE library_flags)
list(JOIN library_flags " " library_flags)
configure_file(${CMAKE_CURRENT_LIST_DIR}/berth.pc.in ${CMAKE_BINARY_DIR}/berth.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/berth.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT library)

# ---- Debian packages: scripts/package ---------------------------------------------------------------

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME berth)
set(CPACK_PACKAGE_CONTACT "the authors of berth <berth@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL programs library)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME berth)
set(CPACK_COMPONENT_PROGRAMS_DESCRIPTION
    "container networking as one engine, for every runtime or none\n Bridge networks, addresses, isolation and published ports for containers and namespaces, without a daemon.")
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SUGGESTS
    "busybox-static, conntrack, iproute2, libcurl4, nftables, udhcpc")
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_CONTROL_EXTRA
    "${CMAKE_CURRENT_LIST_DIR}/postinst;${CMAKE_CURRENT_LIST_DIR}/prerm;${CMAKE_CURRENT_LIST_DIR}/postrm")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libberth-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "libmnl-dev, libnftnl-dev, libsqlite3-dev")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS berth)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION
    "container networking as one engine: library and headers\n A static library for C++23, found by CMake (berth::berth) and pkg-config.")
include(CPack)
