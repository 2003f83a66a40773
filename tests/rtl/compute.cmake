# SPDX-License-Identifier: Apache-2.0
# compute_test: pe, pe_array, requantizer, matrix_unit, vector_unit, each at three parameter sets.
set(libraries)
macro(compute_block name block sources parameters)
  gemel_verilate(${name} BLOCK ${block} SOURCES ${sources} PARAMETERS ${parameters})
  list(APPEND libraries ${name})
endmacro()
gemel_verilate(Pe BLOCK pe SOURCES pe/pe.sv)
gemel_verilate(PeSynthesized BLOCK pe SOURCES pe/pe.sv SYNTHESIS)
list(APPEND libraries Pe PeSynthesized)
foreach(size 1x1 4x4 5x3)
  string(REPLACE "x" ";" both ${size})
  list(GET both 0 rows)
  list(GET both 1 columns)
  compute_block(PeArray${size} pe_array "pe/pe.sv;pe_array/pe_array.sv" "Rows=${rows};Columns=${columns}")
  compute_block(MatrixUnit${size} matrix_unit "common/isa_pkg.gen.sv;matrix_unit/matrix_unit.sv" "Rows=${rows};Columns=${columns}")
  compute_block(VectorUnit${size} vector_unit "common/isa_pkg.gen.sv;vector_unit/vector_unit.sv" "Columns=${rows};Lanes=${columns}")
endforeach()
foreach(size 1x1 4x4 5x3)
  string(REPLACE "x" ";" both ${size})
  list(GET both 0 columns)
  list(GET both 1 lanes)
  gemel_verilate(VectorUnitSynthesized${size} BLOCK vector_unit SOURCES common/isa_pkg.gen.sv vector_unit/vector_unit.sv
                 PARAMETERS Columns=${columns} Lanes=${lanes} SYNTHESIS)
  list(APPEND libraries VectorUnitSynthesized${size})
endforeach()
foreach(lanes 1 3 4)
  compute_block(Requantizer${lanes} requantizer "common/isa_pkg.gen.sv;requantizer/requantizer.sv" "Lanes=${lanes}")
endforeach()

add_executable(compute_test compute_test.cpp compute_pe_array.cpp compute_requantizer.cpp compute_matrix_unit.cpp
               compute_vector_unit.cpp)
target_link_libraries(compute_test PRIVATE GTest::gtest_main GTest::gtest gemel_pe_array gemel_requantizer gemel_matrix_unit
                      gemel_vector_unit                       gemel_base gemel_isa gemel_config ${libraries})
target_include_directories(compute_test PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
gtest_discover_tests(compute_test PROPERTIES LABELS block TIMEOUT 7200 DISCOVERY_TIMEOUT 600)

# Not a test: compute_requantizer_sweep COUNT [SEED] compares COUNT random vectors, for the 10^9 of the release.
add_executable(compute_requantizer_sweep compute_requantizer_sweep.cpp)
target_link_libraries(compute_requantizer_sweep PRIVATE gemel_base Requantizer4)
target_include_directories(compute_requantizer_sweep PRIVATE ${PROJECT_SOURCE_DIR}/src)
