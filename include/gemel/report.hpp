// SPDX-License-Identifier: Apache-2.0
// A result as text: for a terminal, a program, a browser.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "gemel/export.hpp"
#include "gemel/machine.hpp"
#include "gemel/result.hpp"

namespace gemel {

// As in result.json: "load_dma", "matrix_unit", "vector_unit", "store_dma"; "busy", ..., "queue_empty".
GEMEL_API std::string_view unit_name(int unit);
GEMEL_API std::string_view cause_name(int cause);

// Tables of layers, units and totals.
GEMEL_API std::string summary_text(const Result& result, const Machine& machine);
// result.json; its form is published: docs/reference/result.schema.json.
GEMEL_API std::string result_json(const Result& result, const Machine& machine);
// For https://ui.perfetto.dev; of runs with RunOptions::trace.
GEMEL_API std::string trace_json(const Result& result);
// One page that fetches nothing. It reads without script; with script its table sorts, filters, folds, and its timeline zooms: of a run with
// RunOptions::trace down to single instructions.
GEMEL_API std::string report_html(const Result& result, const Machine& machine);
// The style (CSS) of that page, and what its script has in common with those of other pages in the same look.
GEMEL_API std::string report_style();
GEMEL_API std::string report_script();

// Makes the folder if need be, and makes sure that each report can be written there. UserError E0901, E0902.
GEMEL_API void prepare_reports(const std::string& folder, bool trace);
// result.json, report.html and, if there is a trace, trace.json: each whole or not at all. The paths of what was written.
GEMEL_API std::vector<std::string> write_reports(const std::string& folder, const Result& result, const Machine& machine);

// Result::tensors as a safetensors file, by their names; its metadata say of each layer how it was compared (`compared NAME`, as
// LayerResult::compared has it). Whole or not at all. UserError E0902.
GEMEL_API void write_tensors(const std::string& path, const Result& result);

// Two runs beside each other, as tables for a terminal: cycles, machines, totals, what the units did, and the layers that changed most (or all).
// `a`, `b`: result.json of each, or the folder that it is in. UserError E0918.
GEMEL_API std::string compare_results(const std::string& a, const std::string& b, bool all_layers = false);
// The same as a page, with all layers: one file that fetches nothing. UserError E0918.
GEMEL_API std::string comparison_html(const std::string& a, const std::string& b);
GEMEL_API std::string comparison_html(const Result& a, const Machine& machine_a, const Result& b, const Machine& machine_b);

}  // namespace gemel
