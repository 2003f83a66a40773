// SPDX-License-Identifier: Apache-2.0
// The table of messages; see error_codes.hpp. Rows stay in ascending order (tested), one line each.
#include "base/error_codes.hpp"

#include <algorithm>

namespace gemel {

const std::vector<ErrorCode>& error_codes() {
  constexpr auto Warning = ExitClass::Warning;
  constexpr auto User = ExitClass::User;
  constexpr auto Internal = ExitClass::Internal;
  constexpr auto Run = ExitClass::Run;
  static const std::vector<ErrorCode> table = {
      {"E0001", Internal, "Gemel found itself in a state that its authors thought impossible."},

      // E01xx: machine files and settings (src/config)
      {"E0101", User, "A machine file cannot be read."},
      {"E0102", User, "A machine file is not valid YAML."},
      {"E0103", User, "A machine file has a key that Gemel does not know."},
      {"E0104", User, "A machine file lacks a key that it must have."},
      {"E0105", User, "A machine file gives one key twice."},
      {"E0106", User, "A parameter of a machine has a value of the wrong type."},
      {"E0107", User, "A parameter of a machine is outside its range."},
      {"E0108", User, "Two parameters of a machine contradict each other."},
      {"E0109", User, "There is no machine of that name."},
      {"E0110", User, "A setting given with --set is not of the form key=value."},
      {"E0111", User, "There is nothing of that name to explain."},
      {"E0112", User, "A parameter is set twice with --set."},
      {"E0113", Warning, "A parameter of a machine has no effect, because another one allows no more."},
      {"E0114", User, "Machine files are based on one another in a circle."},

      // E02xx: workloads in YAML (src/network)
      {"E0201", User, "A workload file cannot be read."},
      {"E0202", User, "A workload file is not valid YAML."},
      {"E0203", User, "A workload file has a key that Gemel does not know."},
      {"E0204", User, "A workload file lacks a key that it must have."},
      {"E0205", User, "A workload file gives one key twice."},
      {"E0206", User, "A key of a workload file has a value of the wrong type."},
      {"E0207", User, "A key of a workload file has a value outside its range."},
      {"E0208", User, "There is no workload of that name."},
      {"E0209", User, "Two tensors of a workload have one name."},
      {"E0210", User, "A layer reads a tensor that does not exist, or that is made later."},
      {"E0211", User, "The shapes of a layer do not fit together."},
      {"E0212", User, "The quantization of a layer contradicts itself."},
      {"E0213", User, "An operator does not have the arithmetic that is asked of it."},
      {"E0214", User, "A tensor or layer is too large."},
      {"E0215", User, "A workload does not say, or says twice, where its numbers come from."},
      {"E0216", User, "A workload cannot be taken to another batch."},
      {"E0217", User, "A file is a model of a kind that Gemel does not read."},

      // E03xx: tensors and safetensors (src/network)
      {"E0301", User, "A safetensors file cannot be read."},
      {"E0302", User, "The header of a safetensors file is damaged, or it is none."},
      {"E0303", User, "A tensor in a safetensors file contradicts the file."},
      {"E0304", User, "A tensor is missing."},
      {"E0305", User, "A tensor has the wrong type."},
      {"E0306", User, "A tensor has the wrong shape."},
      {"E0307", User, "A tensor has a value that makes no sense."},
      {"E0308", User, "A tensor belongs to no layer."},

      // E04xx: layer tables in CSV (src/network)
      {"E0401", User, "A layer table cannot be read."},
      {"E0402", User, "A layer table has no header that Gemel knows."},
      {"E0403", User, "A row of a layer table lacks a value."},
      {"E0404", User, "A value in a layer table is not what it must be."},
      {"E0405", User, "A layer of a layer table cannot exist or is too large."},
      {"E0406", User, "A layer table has no layers."},

      // E05xx: schedule files (src/isa)
      {"E0501", User, "A schedule file cannot be read."},
      {"E0502", User, "A file is no schedule, or is cut short."},
      {"E0503", User, "A schedule has another format or instruction set than this Gemel."},
      {"E0504", User, "A schedule file is damaged: its checksum is not that of its contents."},
      {"E0505", User, "A schedule was compiled for another machine."},
      {"E0506", User, "A schedule needs more memory than the machine has."},
      {"E0507", User, "A schedule contradicts itself."},
      {"E0508", User, "A program file cannot hold layers that run on the host."},
      {"E0510", User, "The input data do not have the size of the network's input."},
      {"E0511", User, "A schedule has nothing to run."},
      {"E0512", User, "A prediction is asked for a machine that the program was not compiled for."},
      {"E0513", User, "Expected results are asked of a program whose network is not known."},
      {"E0514", User, "A tensor is asked for that the network does not have."},
      {"E0515", User, "A program that waits for layers on the host is to be run by one start."},
      {"E0516", User, "An index is none of a table's rows."},

      // E06xx: compiler: what a machine cannot run (src/compiler)
      {"E0601", User, "A layer does not fit into a machine's buffers in any tiling."},
      {"E0602", User, "A layer has a number that is too large for the fields of an instruction."},
      {"E0603", User, "A network does not fit into a machine's memory."},
      {"E0604", User, "A global average is over more pixels than a window can cover."},
      {"E0605", User, "A network needs more instructions than a program can have."},
      {"E0606", User, "A program cannot begin at the address that was asked for."},
      {"E0608", User, "Weights that a network computes are not made by a layer of the host."},

      // E07xx: instructions (src/isa)
      {"E0701", User, "A line of assembly does not begin with an instruction."},
      {"E0702", User, "A line of assembly names a field that the instruction does not have."},
      {"E0703", User, "A field in assembly has a value that is not one, or is outside its range."},
      {"E0704", User, "A line of assembly gives a field or a semaphore twice."},
      {"E0705", User, "An instruction in assembly breaks a rule between its fields."},

      // E08xx: runs: hazard, deadlock, overflow, memory error, difference (src/sim)
      {"E0801", Run, "The simulated machine stopped with an error of its own."},
      {"E0802", Run, "The simulated machine is deadlocked: nothing can happen any more."},
      {"E0803", Run, "The run did not end within the limit of cycles."},
      {"E0804", Run, "A layer's output in memory differs from the reference."},
      {"E0805", Run, "A write to memory overlaps a burst that another port has under way."},
      {"E0806", Run, "A block's RTL and its model differ."},
      {"E0807", Run, "The run stands still, and a block implemented by RTL may be why."},
      {"E0808", Run, "A block implemented by RTL does what its neighbours rely on never to happen."},
      {"E0809", Run, "Cases of a regression failed."},
      {"E0810", Run, "Counts of coverage are missing."},
      {"E0811", Run, "An instruction touches words that it does not claim."},
      {"E0820", Run, "A block's RTL breaks a rule of AXI on its port to memory."},
      {"E0830", Run, "Frames missed their deadline."},

      // E09xx: files and flags (src/cli, src/report)
      {"E0901", User, "The folder for the results cannot be made or written into."},
      {"E0902", User, "A result file cannot be written: disk full, no permission, or not a file."},
      {"E0903", User, "The standard output cannot be written to."},
      {"E0904", User, "The host has too little memory for the run."},
      {"E0905", User, "A file with input data cannot be read."},
      {"E0906", User, "A file with input data does not have the size of the network's input."},
      {"E0907", User, "A workload has no test images to run."},
      {"E0908", User, "The batch does not divide the number of test images."},
      {"E0909", User, "A file that would be written exists already."},
      {"E0910", User, "A settings file cannot be read, or has a key or value that is wrong."},
      {"E0911", User, "Two options contradict each other, or one has no effect without another."},
      {"E0912", User, "There is no such command."},
      {"E0913", User, "A command has no such option."},
      {"E0914", User, "The host cannot map the simulated memory."},
      {"E0915", User, "An option has a value that it cannot have, or none."},
      {"E0916", User, "An argument is missing, or one too many."},
      {"E0917", User, "GEMEL_HOME names a folder that is none of Gemel."},
      {"E0918", User, "A file is no result of a run."},
      {"E0930", User, "GEMEL_SIMD names an instruction set that does not exist or that this computer lacks."},

      // E10xx: RTL (src/rtl_host, src/top)
      {"E1001", User, "There is no block of that name."},
      {"E1002", User, "Verilator or the C++ compiler cannot be run."},
      {"E1003", User, "A Verilog source cannot be read."},
      {"E1004", User, "The Verilog of a block does not compile."},
      {"E1005", User, "A module's ports are not those of the block's contract."},
      {"E1006", User, "The Verilog of a block lacks the module or a parameter of the contract."},
      {"E1007", User, "An output of a block follows an input within the cycle."},
      {"E1008", User, "A block's RTL does not answer an access to its registers."},
      {"E1009", User, "The cache folder for compiled RTL cannot be used."},
      {"E1010", User, "A setting given with --block is not of the form NAME=KIND."},
      {"E1011", User, "An output of a block is undefined after reset."},
      {"E1012", Run, "The Verilog of a block ended the simulation by itself."},
      {"E1013", User, "The Verilog of a block has a combinational loop that does not settle."},
      {"E1014", User, "The Verilog of a block is too large to compile or to simulate."},
      {"E1015", User, "A block says that it is quiet, and is not."},
      {"E1016", User, "The Verilog of a block does not come to the end of a clock."},
      {"E1017", Run, "A register of a running NPU is accessed by something that cannot wait."},
      {"E1018", User, "A time limit in the environment is not a number of seconds."},
      {"E1019", User, "Verilator is too old."},
      {"E1020", Warning, "Compiled RTL in the cache folder is damaged; it is built again."},
      {"E1021", Warning, "The cache folder for compiled RTL cannot be written; the user's own is used."},
      {"E1022", User, "SystemC's time resolution is too coarse for the NPU's clock."},
      {"E1023", User, "A window of waves is not of the form BLOCK:FROM:TO."},

      // E11xx: models of other tools (python/gemel/importer, src/cli)
      {"E1101", User, "A model cannot be read."},
      {"E1102", User, "A file is no model of a kind that is imported."},
      {"E1103", User, "A model is damaged."},
      {"E1104", User, "A model has an operator that Gemel lacks."},
      {"E1105", User, "A model has an operator with an attribute, a shape or operands that Gemel does not support."},
      {"E1106", User, "A model has tensors of a type that Gemel does not compute with."},
      {"E1107", User, "The quantization of a model's tensor cannot be."},
      {"E1108", User, "The importer of models cannot be run."},
      {"E1109", User, "A model cannot be quantized, compressed or trained."},

      // E12xx: sweeps, and what else is in Python alone (python/gemel, src/session/yaml.cpp)
      {"E1201", User, "A space file cannot be read."},
      {"E1202", User, "A space file is not valid YAML."},
      {"E1203", User, "A space has a key that is unknown, missing or given twice."},
      {"E1204", User, "A space has a value of the wrong kind."},
      {"E1205", User, "A space is too large."},
      {"E1206", User, "An expression in a space is none, has unknown names, or cannot be computed."},
      {"E1207", User, "No design keeps a space's constraints."},
      {"E1208", User, "The file of a sweep is in use."},
      {"E1209", User, "The file of a sweep cannot be written."},
      {"E1210", User, "A file is none of a sweep, or damaged."},
      {"E1211", User, "The workers of a sweep cannot be started, or die."},
      {"E1212", User, "What is in Python needs a package or a Python that is not there."},
      {"E1213", User, "A network is not what it was when it was pickled, or when a sweep began."},
      {"E1214", User, "Images for a network cannot be read, or do not fit it."},
      {"E1215", User, "The Dask scheduler of a sweep does not answer, or is gone."},

      // E13xx: the chip for other tools (src/export)
      {"E1301", User, "The folder for an export has something in it."},
      {"E1302", User, "A workload with layers on the host cannot be exported."},
      {"E1303", User, "A workload cannot be exported for a machine whose memory the testbench does not have."},
      {"E1304", User, "An FPGA is too small for a block."},
      {"E1305", Run, "A tool for FPGAs failed."},
  };
  return table;
}

const ErrorCode* find_error_code(std::string_view code) {
  const auto& table = error_codes();
  const auto row = std::find_if(table.begin(), table.end(), [&](const ErrorCode& r) { return r.code == code; });
  return row == table.end() ? nullptr : &*row;
}

}  // namespace gemel
