# SPDX-License-Identifier: Apache-2.0
# rtl_errors_test: everything that can stop a machine, and resets, on the fast model, the beat models, all blocks as RTL and the whole
# chip as RTL. One machine; what is Verilated for it is kept beside the entries of tests/rtl_host.
add_executable(rtl_errors_test machine_errors.cpp)
target_link_libraries(rtl_errors_test PRIVATE GTest::gtest_main gemel_sim gemel_regress gemel_compiler GTest::gtest)
target_include_directories(rtl_errors_test PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
gtest_discover_tests(rtl_errors_test TEST_PREFIX rtl. DISCOVERY_TIMEOUT 600 PROPERTIES LABELS system TIMEOUT 7200
  ENVIRONMENT "GEMEL_HOME=${PROJECT_SOURCE_DIR};GEMEL_CACHE=${PROJECT_BINARY_DIR}/tests/rtl_host/cache;LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp")
