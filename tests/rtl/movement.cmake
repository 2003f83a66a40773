# SPDX-License-Identifier: Apache-2.0
# movement_test: scratchpad, sequencer, load_dma, store_dma and the whole npu, each at small parameter sets.
set(movement_libraries)
macro(movement_block name block sources)
  gemel_verilate(${name} BLOCK ${block} SOURCES ${sources} PARAMETERS ${ARGN})
  list(APPEND movement_libraries ${name})
endmacro()
set(scratchpad_sources scratchpad/scratchpad.sv)
movement_block(ScratchpadOneWord scratchpad "${scratchpad_sources}" WordBytes=1 Words=1 Banks=1 ReadClients=1 WriteClients=1)
movement_block(ScratchpadOneBank scratchpad "${scratchpad_sources}" WordBytes=16 Words=64 Banks=1 ReadClients=2 WriteClients=1)
movement_block(ScratchpadThreeBanks scratchpad "${scratchpad_sources}" WordBytes=5 Words=39 Banks=3 ReadClients=2 WriteClients=2)

add_executable(movement_test movement_test.cpp movement_scratchpad.cpp)
target_link_libraries(movement_test PRIVATE GTest::gtest_main GTest::gtest gemel_scratchpad gemel_sequencer gemel_load_dma
                      gemel_store_dma gemel_base gemel_isa gemel_config ${movement_libraries})
target_include_directories(movement_test PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
gtest_discover_tests(movement_test PROPERTIES LABELS block TIMEOUT 600 DISCOVERY_TIMEOUT 60)
