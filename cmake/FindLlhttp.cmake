# FindLlhttp: llhttp's C sources, as Debian's node-llhttp brings them, compiled as the static library duplex_llhttp.
#
# LLHTTP_STRICT_MODE is a matter of the header too, so whoever links the library gets it (design.md, "Decisions").
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATH_SUFFIXES llhttp share/include/llhttp HINTS ${LLHTTP_ROOT}
          DOC "The folder of llhttp.h")
foreach(part llhttp api http)
  find_file(LLHTTP_SOURCE_${part} ${part}.c PATH_SUFFIXES share/llhttp llhttp src HINTS ${LLHTTP_ROOT}
            DOC "llhttp's ${part}.c")
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Llhttp
  REQUIRED_VARS LLHTTP_INCLUDE_DIR LLHTTP_SOURCE_llhttp LLHTTP_SOURCE_api LLHTTP_SOURCE_http
  REASON_FAILURE_MESSAGE "install Debian's node-llhttp, or set LLHTTP_ROOT")
mark_as_advanced(LLHTTP_INCLUDE_DIR LLHTTP_SOURCE_llhttp LLHTTP_SOURCE_api LLHTTP_SOURCE_http)

if(NOT LLHTTP_INCLUDE_DIR OR NOT LLHTTP_SOURCE_llhttp OR NOT LLHTTP_SOURCE_api OR NOT LLHTTP_SOURCE_http)
  message(FATAL_ERROR "llhttp's sources were not found: install Debian's node-llhttp, or set LLHTTP_ROOT")
endif()

if(NOT TARGET duplex_llhttp)
  add_library(duplex_llhttp STATIC ${LLHTTP_SOURCE_llhttp} ${LLHTTP_SOURCE_api} ${LLHTTP_SOURCE_http})
  target_include_directories(duplex_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
  target_compile_definitions(duplex_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(duplex_llhttp PRIVATE -w)
endif()
