# SPDX-License-Identifier: Apache-2.0
# movement_test: scratchpad, sequencer, load_dma, store_dma and the whole npu, each at small parameter sets.
set(movement_libraries)
macro(movement_block name block sources)
  gemel_verilate(${name} BLOCK ${block} SOURCES ${sources} PARAMETERS ${ARGN})
  list(APPEND movement_libraries ${name})
endmacro()
set(scratchpad_sources common/memory.sv scratchpad/scratchpad.sv)
movement_block(ScratchpadOneWord scratchpad "${scratchpad_sources}" WordBytes=1 Words=1 Banks=1 ReadClients=1 WriteClients=1)
movement_block(ScratchpadOneBank scratchpad "${scratchpad_sources}" WordBytes=16 Words=64 Banks=1 ReadClients=2 WriteClients=1)
movement_block(ScratchpadThreeBanks scratchpad "${scratchpad_sources}" WordBytes=5 Words=39 Banks=3 ReadClients=2 WriteClients=2)

set(sequencer_sources common/isa_pkg.gen.sv common/memory.sv common/fifo.sv sequencer/semaphores.sv sequencer/claims.sv sequencer/sequencer.sv)
# words and banks: activation, weight, vector, param, accumulator
function(buffer_parameters result words banks)
  string(REPLACE "," ";" words ${words})
  string(REPLACE "," ";" banks ${banks})
  set(all)
  foreach(buffer w b IN ZIP_LISTS buffer_names words banks)
    list(APPEND all ${buffer}Words=${w} ${buffer}Banks=${b})
  endforeach()
  set(${result} ${all} PARENT_SCOPE)
endfunction()
macro(movement_sequencer name bus burst queue prefetch words banks)
  buffer_parameters(parameters ${words} ${banks})
  movement_block(${name} sequencer "${sequencer_sources}" Rows=1 Columns=1 BusBytes=${bus} BurstBytes=${burst}
                 QueueDepth=${queue} PrefetchInstructions=${prefetch} ${parameters} ${ARGN})
endmacro()
set(buffer_names Activation Weight Vector Param Accumulator)
movement_sequencer(SequencerUsual 16 256 4 8 4096,4096,4096,4096,1024 8,8,8,8,8)
movement_sequencer(SequencerOdd 16 32 3 5 1001,777,3003,515,1300 1,7,3,5,13)
movement_sequencer(SequencerNarrow 4 4 1 1 262144,262144,262144,262144,65536 16,16,16,16,16)
movement_sequencer(SequencerWide 128 512 2 9 2000,2000,2000,2000,500 2,2,2,2,2)
movement_sequencer(SequencerSynthesizedUsual 16 256 4 8 4096,4096,4096,4096,1024 8,8,8,8,8 SYNTHESIS)
movement_sequencer(SequencerSynthesizedOdd 16 32 3 5 1001,777,3003,515,1300 1,7,3,5,13 SYNTHESIS)
movement_sequencer(SequencerSynthesizedNarrow 4 4 1 1 262144,262144,262144,262144,65536 16,16,16,16,16 SYNTHESIS)
movement_block(Decoder isa_pkg_use "common/isa_pkg.gen.sv;../tests/isa/isa_pkg_use.sv")

# rows x columns, bytes of bus and burst, outstanding
set(load_dma_sources common/isa_pkg.gen.sv common/memory.sv common/fifo.sv common/burst_cutter.sv load_dma/load_dma.sv)
macro(movement_load_dma name rows columns bus burst outstanding)
  movement_block(${name} load_dma "${load_dma_sources}" Rows=${rows} Columns=${columns} BusBytes=${bus} BurstBytes=${burst}
                 Outstanding=${outstanding} ${ARGN})
endmacro()
movement_load_dma(LoadDmaUsual 8 8 8 64 4)
movement_load_dma(LoadDmaLeast 1 1 4 4 1)
movement_load_dma(LoadDmaOdd 5 13 16 32 3)
movement_load_dma(LoadDmaSlim 40 3 4 8 2)
movement_load_dma(LoadDmaWholeBursts 24 3 128 4096 2)
movement_load_dma(LoadDmaManyBeats 3 5 4 1024 3)
movement_load_dma(LoadDmaSynthesizedUsual 8 8 8 64 4 SYNTHESIS)
movement_load_dma(LoadDmaSynthesizedOdd 5 13 16 32 3 SYNTHESIS)
movement_load_dma(LoadDmaSynthesizedWholeBursts 24 3 128 4096 2 SYNTHESIS)

set(store_dma_sources common/isa_pkg.gen.sv common/memory.sv common/fifo.sv common/burst_cutter.sv store_dma/store_dma.sv)
macro(movement_store_dma name columns bus burst outstanding)
  movement_block(${name} store_dma "${store_dma_sources}" Columns=${columns} BusBytes=${bus} BurstBytes=${burst}
                 Outstanding=${outstanding})
endmacro()
movement_store_dma(StoreDmaUsual 8 8 64 4)
movement_store_dma(StoreDmaLeast 1 4 4 1)
movement_store_dma(StoreDmaOdd 13 16 32 3)
movement_store_dma(StoreDmaWide 40 4 8 2)
movement_store_dma(StoreDmaWholeBursts 24 128 4096 2)
movement_store_dma(StoreDmaManyBeats 5 4 1024 3)

set(npu_sources common/isa_pkg.gen.sv common/memory.sv common/fifo.sv common/burst_cutter.sv scratchpad/scratchpad.sv
                sequencer/semaphores.sv sequencer/claims.sv sequencer/sequencer.sv load_dma/load_dma.sv store_dma/store_dma.sv pe/pe.sv
                pe_array/pe_array.sv matrix_unit/matrix_unit.sv requantizer/requantizer.sv vector_unit/vector_unit.sv npu/npu.sv)
macro(movement_npu name rows columns lanes bus burst loads stores queue prefetch words banks)
  buffer_parameters(parameters ${words} ${banks})
  movement_block(${name} npu "${npu_sources}" Rows=${rows} Columns=${columns} Lanes=${lanes} BusBytes=${bus} BurstBytes=${burst}
                 LoadOutstanding=${loads} StoreOutstanding=${stores} QueueDepth=${queue} PrefetchInstructions=${prefetch}
                 ${parameters} ${ARGN})
endmacro()
movement_npu(NpuSquare 4 4 4 8 64 2 2 4 4 256,256,256,256,128 2,2,2,2,2)
movement_npu(NpuUneven 2 6 2 16 128 4 1 2 8 300,240,330,130,96 4,3,3,2,4)
movement_npu(NpuSynthesizedUneven 2 6 2 16 128 4 1 2 8 300,240,330,130,96 4,3,3,2,4 SYNTHESIS)
movement_npu(NpuOdd 5 3 1 4 16 3 5 1 1 257,255,401,211,105 1,5,1,1,7)

# Of `top` only what knows nothing of SystemC.
add_library(movement_top STATIC ${PROJECT_SOURCE_DIR}/src/top/axi_bridge.cpp ${PROJECT_SOURCE_DIR}/src/top/memory_beat.cpp
            ${PROJECT_SOURCE_DIR}/src/top/stepper.cpp)
target_include_directories(movement_top PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(movement_top PUBLIC gemel_memory gemel_scratchpad gemel_sequencer gemel_load_dma gemel_store_dma gemel_matrix_unit
                      gemel_pe_array gemel_vector_unit gemel_requantizer gemel_base gemel_isa gemel_config)
add_executable(movement_test movement_test.cpp movement_scratchpad.cpp movement_sequencer.cpp movement_load_dma.cpp movement_store_dma.cpp movement_npu.cpp)
target_link_libraries(movement_test PRIVATE GTest::gtest_main GTest::gtest movement_top gemel_compiler gemel_ops
                      gemel_network ${movement_libraries})
target_include_directories(movement_test PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
gtest_discover_tests(movement_test PROPERTIES LABELS block TIMEOUT 7200 DISCOVERY_TIMEOUT 600)
