# How everything here is compiled, and the two functions by which a room says what it is.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Code for programs (the compilers' -fPIE), not for shared libraries: there each use of a thread's free list is a call.
# Who puts Duplex into a shared library of their own sets CMAKE_POSITION_INDEPENDENT_CODE.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1")

option(DUPLEX_TESTS "Build the unit tests" ON)
option(DUPLEX_BENCH "Build the benchmarks and their peers (grpc++)" OFF)
set(DUPLEX_SANITIZE "" CACHE STRING "A value for -fsanitize=, such as address,undefined or thread")

find_program(DUPLEX_CCACHE ccache)
if(DUPLEX_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${DUPLEX_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${DUPLEX_CCACHE})
endif()
find_program(DUPLEX_MOLD mold)
if(DUPLEX_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_package(Threads REQUIRED)

if(DUPLEX_SANITIZE)
  add_compile_options(-fsanitize=${DUPLEX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DUPLEX_SANITIZE})
  if(DUPLEX_SANITIZE MATCHES "thread")
    include_directories(BEFORE ${CMAKE_CURRENT_LIST_DIR}/tsan)  # the layout of the distribution's libprotobuf
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code confuses this one warning of g++ 12; the builds without a sanitizer keep it.
    add_compile_options(-Wno-maybe-uninitialized)
    if(DUPLEX_SANITIZE MATCHES "thread")
      add_compile_options(-Wno-tsan)
    endif()
  endif()
endif()

# The warnings of the house, for code of ours (not for what protoc writes).
add_library(duplex_warnings INTERFACE)
target_compile_options(duplex_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror)

# duplex_room(NAME [DEPENDS room...] [LIBRARIES target...] [TEST_LIBRARIES target...]): the static library of the room in
# this folder, made of all its .cc files but the tests and a main.cc; each *_test.cc becomes a part of the room's test
# program, which alone is linked to TEST_LIBRARIES.
function(duplex_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LIBRARIES;TEST_LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  add_library(duplex_${name} STATIC ${sources})
  add_library(Duplex::${name} ALIAS duplex_${name})
  target_include_directories(duplex_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM ROOM_DEPENDS PREPEND duplex_)
  target_link_libraries(duplex_${name} PUBLIC ${ROOM_DEPENDS} ${ROOM_LIBRARIES} Threads::Threads
                                       PRIVATE duplex_warnings)
  if(DUPLEX_TESTS AND tests)
    duplex_test(${name}_test SOURCES ${tests} LIBRARIES duplex_${name} ${ROOM_TEST_LIBRARIES})
  endif()
endfunction()

# All unit tests and nothing else: what is built and run under the sanitizers.
add_custom_target(unit_tests)

# duplex_test(NAME SOURCES file... [LIBRARIES target...]): a GoogleTest program, one ctest test, labelled `unit`.
function(duplex_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;LIBRARIES" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${TEST_LIBRARIES} GTest::gtest GTest::gtest_main duplex_warnings)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
  add_dependencies(unit_tests ${name})
endfunction()
