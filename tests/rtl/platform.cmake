# SPDX-License-Identifier: Apache-2.0
# rtl_platform_test: npu in a platform, as models, as RTL and in lockstep. What is Verilated is kept beside the entries of tests/rtl_host.
if(GEMEL_SANITIZE)
  message(STATUS "tests/rtl: rtl_platform_test is left out: sanitizers do not follow SystemC's threads")
  return()
endif()
add_executable(rtl_platform_test platform.cpp)
target_link_libraries(rtl_platform_test PRIVATE GTest::gtest_main gemel_sim gemel_regress gemel_compiler GTest::gtest)
target_include_directories(rtl_platform_test PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
gtest_discover_tests(rtl_platform_test TEST_PREFIX rtl. DISCOVERY_TIMEOUT 600 PROPERTIES LABELS system TIMEOUT 7200
  ENVIRONMENT "GEMEL_HOME=${PROJECT_SOURCE_DIR};GEMEL_CACHE=${PROJECT_BINARY_DIR}/tests/rtl_host/cache;LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp")
