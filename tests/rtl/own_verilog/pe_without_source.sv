// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: the command line gives no source for pe; this one is not used.
// run: --block pe=check
