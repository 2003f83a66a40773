# SPDX-License-Identifier: Apache-2.0
# gemel_write_exports(FILE): the linker's list of what libgemel.so exports, read from include/gemel: classes and functions that GEMEL_API marks,
# by their mangled names (`_ZN5gemel3runE...` is gemel::run(...), and not gemel::run_twice). Everything else stays inside, instances of
# templates of the standard library and of SystemC, too.
function(gemel_write_exports file)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/gemel/*.hpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${headers})
  set(names "    sc_main;\n")
  foreach(header ${headers})
    if(header MATCHES "/export.hpp$")
      continue()
    endif()
    file(STRINGS ${header} lines REGEX "GEMEL_API")
    foreach(line IN LISTS lines)
      if(line MATCHES "(class|struct) GEMEL_API ([A-Za-z_0-9]+)")
        string(LENGTH ${CMAKE_MATCH_2} length)
        string(APPEND names "    _ZN5gemel${length}${CMAKE_MATCH_2}*;\n    _ZNK5gemel${length}${CMAKE_MATCH_2}*;\n"
                            "    _ZT[ISV]N5gemel${length}${CMAKE_MATCH_2}E;\n")
      elseif(line MATCHES "GEMEL_API [^(]*[ *&]([a-z_0-9]+)\\(")
        string(LENGTH ${CMAKE_MATCH_1} length)
        string(APPEND names "    _ZN5gemel${length}${CMAKE_MATCH_1}[BE]*;\n")  # B: the tag of what returns a std::string
      else()
        message(FATAL_ERROR "${header}: what does GEMEL_API mark here?\n${line}")
      endif()
    endforeach()
  endforeach()
  file(CONFIGURE OUTPUT ${file} CONTENT "{\n  global:\n${names}  local: *;\n};\n" @ONLY)
endfunction()
