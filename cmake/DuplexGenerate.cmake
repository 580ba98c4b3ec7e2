# duplex_generate(): C++ from .proto files.
#
#   duplex_generate(TARGET proto... [IMPORT_DIRS dir...] [GOOGLEAPIS target])
#
# makes the static library TARGET of what protoc and protoc-gen-duplex write for each proto: the message classes
# (NAME.pb.h) and the services (NAME.duplex.h), included by the name that an import would have. A proto is given
# absolute or relative to the current source folder and must lie in one of IMPORT_DIRS (default: the current source
# folder). IMPORT_DIRS come first on the import path, so a googleapis folder of the user's own wins over the packaged one.
#
# The classes of google/api and google/rpc are compiled once, in the target duplex_googleapis. A program that has them
# already from somewhere else names that target with GOOGLEAPIS, since one program must not register them twice.
find_package(Protobuf REQUIRED)

# Where google/api/annotations.proto is; Debian: golang-github-gogo-googleapis-dev.
find_path(DUPLEX_GOOGLEAPIS_DIR google/api/annotations.proto
          HINTS ${Protobuf_INCLUDE_DIRS}
          PATHS /usr/share /usr/share/googleapis /usr/local/share
          PATH_SUFFIXES googleapis gocode/src/github.com/gogo/googleapis
          DOC "Folder in which google/api/annotations.proto lies")
# Where google/protobuf/descriptor.proto is.
find_path(DUPLEX_PROTOBUF_PROTO_DIR google/protobuf/descriptor.proto HINTS ${Protobuf_INCLUDE_DIRS}
          DOC "Folder in which google/protobuf/descriptor.proto lies")

function(_duplex_import_flags out)
  set(flags)
  foreach(dir ${ARGN} ${DUPLEX_GOOGLEAPIS_DIR} ${DUPLEX_PROTOBUF_PROTO_DIR})
    if(dir)
      get_filename_component(dir ${dir} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
      list(APPEND flags -I${dir})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES flags)
  set(${out} ${flags} PARENT_SCOPE)
endfunction()

# The standard classes that generated message code refers to. Made at the first use.
function(_duplex_googleapis)
  if(TARGET duplex_googleapis)
    return()
  endif()
  if(NOT DUPLEX_GOOGLEAPIS_DIR)
    message(FATAL_ERROR "google/api/annotations.proto is not found: install golang-github-gogo-googleapis-dev, or set "
                        "DUPLEX_GOOGLEAPIS_DIR to the folder that has google/api in it")
  endif()
  set(out ${CMAKE_BINARY_DIR}/duplex_googleapis)
  file(MAKE_DIRECTORY ${out})
  _duplex_import_flags(imports)
  set(sources)
  foreach(name google/api/http google/api/annotations google/rpc/code google/rpc/status google/rpc/error_details)
    if(EXISTS ${DUPLEX_GOOGLEAPIS_DIR}/${name}.proto)
      add_custom_command(OUTPUT ${out}/${name}.pb.cc ${out}/${name}.pb.h
                         COMMAND protobuf::protoc ${imports} --cpp_out=${out} ${name}.proto
                         DEPENDS ${DUPLEX_GOOGLEAPIS_DIR}/${name}.proto VERBATIM)
      list(APPEND sources ${out}/${name}.pb.cc ${out}/${name}.pb.h)
    endif()
  endforeach()
  add_library(duplex_googleapis STATIC ${sources})
  add_library(Duplex::googleapis ALIAS duplex_googleapis)
  target_include_directories(duplex_googleapis SYSTEM PUBLIC ${out})
  target_link_libraries(duplex_googleapis PUBLIC protobuf::libprotobuf)
endfunction()

function(duplex_generate target)
  cmake_parse_arguments(GEN "" "GOOGLEAPIS" "IMPORT_DIRS" ${ARGN})
  set(dirs ${GEN_IMPORT_DIRS})
  if(NOT dirs)
    set(dirs ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  if(NOT GEN_GOOGLEAPIS)
    _duplex_googleapis()
    set(GEN_GOOGLEAPIS duplex_googleapis)
  endif()
  _duplex_import_flags(imports ${dirs})

  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target})
  file(MAKE_DIRECTORY ${out})
  set(messages)
  set(services)
  foreach(proto ${GEN_UNPARSED_ARGUMENTS})
    set(file)
    foreach(base ${CMAKE_CURRENT_SOURCE_DIR} ${dirs})
      get_filename_component(candidate ${proto} ABSOLUTE BASE_DIR ${base})
      if(NOT file AND EXISTS ${candidate})
        set(file ${candidate})
      endif()
    endforeach()
    if(NOT file)
      message(FATAL_ERROR "duplex_generate(${target}): there is no ${proto} here or in IMPORT_DIRS")
    endif()
    # The name that an import has: relative to the first import folder that holds it.
    set(name)
    foreach(dir ${dirs})
      get_filename_component(dir ${dir} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
      file(RELATIVE_PATH relative ${dir} ${file})
      if(NOT name AND NOT relative MATCHES "^\\.\\.")
        set(name ${relative})
      endif()
    endforeach()
    if(NOT name)
      message(FATAL_ERROR "duplex_generate(${target}): ${proto} lies in none of IMPORT_DIRS (${dirs})")
    endif()
    string(REGEX REPLACE "\\.proto$" "" stem ${name})
    string(MAKE_C_IDENTIFIER ${name} id)
    add_custom_command(
      OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h ${out}/${stem}.duplex.cc ${out}/${stem}.duplex.h
      COMMAND protobuf::protoc ${imports} --cpp_out=${out}
              --plugin=protoc-gen-duplex=$<TARGET_FILE:protoc-gen-duplex> --duplex_out=${out}
              --dependency_out=${out}/${id}.d ${name}
      DEPENDS ${file} protoc-gen-duplex
      DEPFILE ${out}/${id}.d
      COMMENT "Generating C++ from ${name}"
      VERBATIM)
    list(APPEND messages ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    list(APPEND services ${out}/${stem}.duplex.cc ${out}/${stem}.duplex.h)
  endforeach()

  # What protoc writes is compiled without our warnings; what protoc-gen-duplex writes stands them.
  add_library(${target}_messages OBJECT ${messages})
  target_include_directories(${target}_messages SYSTEM PUBLIC ${out})
  target_link_libraries(${target}_messages PUBLIC protobuf::libprotobuf ${GEN_GOOGLEAPIS})
  add_library(${target} STATIC ${services} $<TARGET_OBJECTS:${target}_messages>)
  target_include_directories(${target} SYSTEM PUBLIC ${out})
  target_link_libraries(${target} PUBLIC duplex_contract protobuf::libprotobuf ${GEN_GOOGLEAPIS})
  if(TARGET duplex_warnings)
    target_link_libraries(${target} PRIVATE duplex_warnings)
  endif()
endfunction()

# duplex_embed_contract(TARGET HEADER NAME proto IMPORT_DIRS dir...): for sources of TARGET, the header HEADER with the
# constant NAME, which is the proto and what it imports as a FileDescriptorSet. No class is generated and nothing is
# registered, so a program may link its own classes of the same proto.
function(duplex_embed_contract target header name proto)
  cmake_parse_arguments(EMBED "" "" "IMPORT_DIRS" ${ARGN})
  _duplex_import_flags(imports ${EMBED_IMPORT_DIRS})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target}_contracts)
  file(MAKE_DIRECTORY ${out})
  add_custom_command(
    OUTPUT ${out}/${header}
    COMMAND protobuf::protoc ${imports} --include_imports --descriptor_set_out=${out}/${header}.set ${proto}
    COMMAND ${CMAKE_COMMAND} -DIN=${out}/${header}.set -DOUT=${out}/${header} -DNAME=${name}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_bytes.cmake
    DEPENDS ${EMBED_IMPORT_DIRS}/${proto} ${PROJECT_SOURCE_DIR}/cmake/embed_bytes.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out}/${header})
  target_include_directories(${target} PRIVATE ${out})
endfunction()
