// SPDX-License-Identifier: Apache-2.0
// Tables on a terminal.
#pragma once
#include <algorithm>
#include <cstddef>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace gemel {

// Rows of cells, printed with columns as wide as their widest cell. The first column and those named left are flush left.
class Table {
 public:
  Table(std::vector<std::string> head, std::vector<bool> left) : left_(std::move(left)) {
    if (!head.empty()) add(std::move(head));
  }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print(std::ostream& out) const {
    std::vector<std::size_t> widths(left_.size(), 0);
    for (const auto& row : rows_) {
      for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
    }
    for (const auto& row : rows_) {
      std::string line = " ";
      for (std::size_t c = 0; c < row.size(); ++c) {
        const std::string space(widths[c] - row[c].size(), ' ');
        line += " " + (left_[c] ? row[c] + space : space + row[c]) + " ";
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out << line << '\n';
    }
  }

 private:
  std::vector<bool> left_;
  std::vector<std::vector<std::string>> rows_;
};

inline std::string shortened(const std::string& name) {
  constexpr std::size_t Longest = 32;
  return name.size() <= Longest ? name : name.substr(0, Longest - 3) + "...";
}

}  // namespace gemel
