// SPDX-License-Identifier: Apache-2.0
// Marks what libgemel exports; everything else in the library is hidden.
#pragma once
#define GEMEL_API __attribute__((visibility("default")))
