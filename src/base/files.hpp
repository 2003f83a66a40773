// SPDX-License-Identifier: Apache-2.0
// Files that are written whole or not at all: whoever looks sees the old file or the new one, never half of it, and a
// failure (disk full, no permission) leaves nothing behind. All failures are the user's to mend: UserError E0901, E0902.
#pragma once
#include <string>
#include <string_view>

namespace gemel {

// Writes beside `path` and renames. The folder must exist.
void write_file_atomically(const std::string& path, std::string_view contents);

// Throws what write_file_atomically() would throw for `path` as it is now (no such folder, no permission, a folder of that name), and
// leaves nothing behind: for long work whose result goes there.
void require_writable(const std::string& path);

// Makes the folder and those above it, unless they are there, and makes sure that a file can be created in it.
void make_output_folder(const std::string& path);

}  // namespace gemel
