// SPDX-License-Identifier: Apache-2.0
// The only code of libgemel that is in no room: SystemC's library has a main program that calls sc_main, so whoever links with it must have one.
// A program that only uses Gemel's library has none, and need not know of SystemC. A platform's own comes before this one.
extern "C" __attribute__((weak, visibility("default"))) int sc_main(int, char**) { return 0; }
