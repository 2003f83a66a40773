// SPDX-License-Identifier: Apache-2.0
// Schedules as files; see schedule.hpp. Layout: tensor `program` (U8 [count, 64]), tensors `constant.N`, `expected.N` and `input.N`
// (U8; of the last two N is the tensor's index), and in the metadata `gemel_schedule` (format version), `schedule` (JSON: everything
// else) and `checksum` over the others.
// Loading: (1) the container, (2) version and checksum, (3) every field, index and instruction.
#include "isa/schedule.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "config/digest.hpp"
#include "isa/isa.hpp"
#include "network/describe.hpp"
#include "network/safetensors.hpp"

namespace gemel {
namespace {

using nlohmann::json;

constexpr int FormatVersion = 2;

[[noreturn]] void fail(const char* code, const std::string& file, std::string message, std::string hint = {}) {
  Diagnostic d;
  d.code = code;
  d.file = file;
  d.message = std::move(message);
  d.hint = std::move(hint);
  throw UserError(std::vector<Diagnostic>{d});
}

json to_json(const ScheduleTensor& t) {
  return {{"name", t.name},
          {"shape", std::vector<std::int64_t>(t.shape.begin(), t.shape.end())},
          {"type", to_string(t.type)},
          {"scale", t.scale},
          {"zero_point", t.zero_point},
          {"in_memory", t.in_memory},
          {"address", t.address},
          {"bytes", t.bytes},
          {"layer", t.layer},
          {"is_input", t.is_input},
          {"is_output", t.is_output}};
}

json to_json(const LayerShape& s) {
  return {{"inputs", s.inputs},     {"output", s.output},     {"kernel", s.kernel}, {"stride", s.stride},
          {"dilation", s.dilation}, {"padding", s.padding}, {"groups", s.groups}};
}

json to_json(const LayerMapping& m) {
  return {{"unit", m.unit},     {"beside", m.beside},       {"first_channel", m.first_channel},
          {"channels", m.channels}, {"output", m.output},   {"tile", m.tile},
          {"reduction", m.reduction}, {"accumulated_channels", m.accumulated_channels}, {"loops", m.loops}, {"resident", m.resident}};
}

json to_json(const ScheduleLayer& l) {
  json mapping = json::array();
  for (const LayerMapping& m : l.mapping) mapping.push_back(to_json(m));
  return {{"name", l.name},
          {"op", to_string(l.op)},
          {"shape", to_json(l.shape)},
          {"output", l.output},
          {"macs", l.macs},
          {"weight_bytes", l.weight_bytes},
          {"weight_tiles", {l.weight_tiles.count, l.weight_tiles.zero, l.weight_tiles.left_out}},
          {"first_instruction", l.first_instruction},
          {"last_instruction", l.last_instruction},
          {"complete_after", l.complete_after},
          {"predicted_cycles", l.predicted_cycles},
          {"mapping", std::move(mapping)}};
}

// Reads one JSON object of the metadata; whatever is missing, of another type or out of range is E0507.
class Fields {
 public:
  Fields(const json& object, std::string where, const std::string& file)
      : object_(object), where_(std::move(where)), file_(file) {
    if (!object_.is_object()) refuse("", "is not an object");
  }
  std::string text(const char* key) const {
    const json& value = at(key);
    if (!value.is_string()) refuse(key, "is not a text");
    return value.get<std::string>();
  }
  bool flag(const char* key) const {
    const json& value = at(key);
    if (!value.is_boolean()) refuse(key, "is neither true nor false");
    return value.get<bool>();
  }
  double real(const char* key) const {
    const json& value = at(key);
    if (!value.is_number()) refuse(key, "is not a number");
    return value.get<double>();
  }
  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max) const {
    return integer(at(key), key, min, max);
  }
  int small(const char* key, std::int64_t min, std::int64_t max = std::numeric_limits<int>::max()) const {
    return static_cast<int>(integer(key, min, max));
  }
  Fields object(const char* key) const { return {at(key), where_ + "." + key, file_}; }
  const json& list(const char* key) const {
    const json& value = at(key);
    if (!value.is_array()) refuse(key, "is not a list");
    return value;
  }
  std::int64_t integer(const json& value, const char* key, std::int64_t min, std::int64_t max) const {
    if (!value.is_number_integer()) refuse(key, "is not a whole number");
    const bool too_big = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(max);
    if (too_big || value.get<std::int64_t>() < min || value.get<std::int64_t>() > max) {
      refuse(key, "= " + value.dump() + " is outside " + std::to_string(min) + ".." + std::to_string(max));
    }
    return value.get<std::int64_t>();
  }
  template <typename T, std::size_t N>
  void numbers(const char* key, std::array<T, N>& array, std::int64_t min, std::int64_t max) const {
    const json& all = list(key);
    if (all.size() != N) refuse(key, "does not have " + std::to_string(N) + " numbers");
    for (std::size_t i = 0; i < N; ++i) array[i] = static_cast<T>(integer(all[i], key, min, max));
  }
  // Each of them one of `known`.
  std::vector<std::string> words(const char* key, std::initializer_list<const char*> known) const {
    std::vector<std::string> all;
    for (const json& one : list(key)) {
      if (std::find(known.begin(), known.end(), one) == known.end()) refuse(key, "has " + one.dump() + ", which is none of its words");
      all.push_back(one.get<std::string>());
    }
    return all;
  }
  bool has(const char* key) const { return object_.contains(key); }
  // An object of a list.
  Fields item(const json& value, const char* key) const { return {value, where_ + "." + key, file_}; }
  [[noreturn]] void refuse(const std::string& key, const std::string& problem) const {
    fail("E0507", file_, "the schedule contradicts itself: " + where_ + (key.empty() ? "" : "." + key) + " " + problem);
  }

 private:
  const json& at(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) refuse(key, "is missing");
    return *found;
  }
  const json& object_;
  std::string where_;
  const std::string& file_;
};

constexpr std::int64_t MaxAddress = std::int64_t{1} << 40;
constexpr std::int64_t MaxCount = std::int64_t{1} << 62;

ScheduleTensor tensor_from(const Fields& f, int layers) {
  ScheduleTensor t;
  t.name = f.text("name");
  const json& shape = f.list("shape");
  if (shape.size() > Shape::MaxRank) f.refuse("shape", "has more than " + std::to_string(Shape::MaxRank) + " lengths");
  std::vector<std::int64_t> lengths;
  for (const json& length : shape) lengths.push_back(f.integer(length, "shape", 1, std::numeric_limits<int>::max()));
  t.shape = Shape(lengths);
  if (t.shape.checked_elements(MaxAddress) < 0) f.refuse("shape", "has more elements than memory has bytes");
  const std::string type = f.text("type");
  const auto known = std::find_if(element_types().begin(), element_types().end(), [&](ElementType e) { return type == to_string(e); });
  if (known == element_types().end()) f.refuse("type", "= `" + type + "` is no type of elements");
  t.type = *known;
  t.scale = f.real("scale");
  t.zero_point = f.small("zero_point", -128, 255);
  t.in_memory = f.flag("in_memory");
  t.address = static_cast<std::uint64_t>(f.integer("address", 0, MaxAddress));
  t.bytes = f.integer("bytes", 0, MaxAddress);
  if (t.in_memory && t.bytes != Tensor{t.name, t.shape, t.type}.bytes()) f.refuse("bytes", "is not the size of the shape");
  t.layer = f.small("layer", -1, layers - 1);
  t.is_input = f.flag("is_input");
  t.is_output = f.flag("is_output");
  return t;
}

LayerShape shape_from(const Fields& f) {
  LayerShape s;
  const auto lengths = [&f](const json& list, const char* key) {
    if (!list.is_array() || list.size() > 8) f.refuse(key, "is not a shape");
    std::vector<std::int64_t> shape;
    for (const json& length : list) shape.push_back(f.integer(length, key, 0, MaxAddress));
    return shape;
  };
  const auto numbers = [&f](const char* key, auto& array, std::int64_t min) { f.numbers(key, array, min, std::numeric_limits<int>::max()); };
  for (const json& input : f.list("inputs")) s.inputs.push_back(lengths(input, "inputs"));
  s.output = lengths(f.list("output"), "output");
  numbers("kernel", s.kernel, 1);
  numbers("stride", s.stride, 1);
  numbers("dilation", s.dilation, 1);
  numbers("padding", s.padding, 0);
  s.groups = f.small("groups", 1);
  return s;
}

LayerMapping mapping_from(const Fields& f) {
  LayerMapping m;
  m.unit = f.small("unit", static_cast<int>(isa::Unit::Matrix), static_cast<int>(isa::Unit::Vector));
  m.beside = f.flag("beside");
  m.first_channel = f.small("first_channel", 0);
  m.channels = f.small("channels", 1);
  f.numbers("output", m.output, 1, MaxAddress);
  f.numbers("tile", m.tile, 1, MaxAddress);
  f.numbers("reduction", m.reduction, 0, MaxAddress);
  m.accumulated_channels = f.integer("accumulated_channels", 0, MaxAddress);
  m.loops = f.words("loops", {"tiles", "channels", "reduction"});
  m.resident = f.words("resident", {"weights", "activations", "parameters"});
  return m;
}

ScheduleLayer layer_from(const Fields& f, int tensors, const std::vector<isa::Word>& program) {
  const int instructions = static_cast<int>(program.size());
  ScheduleLayer l;
  l.name = f.text("name");
  const std::string op = f.text("op");
  bool known = false;
  for (std::size_t o = 0; o < OpCount; ++o) {
    if (op == to_string(static_cast<Op>(o))) {
      l.op = static_cast<Op>(o);
      known = true;
    }
  }
  if (!known) f.refuse("op", "= `" + op + "` is no operator");
  l.shape = shape_from(f.object("shape"));
  l.output = f.small("output", -1, tensors - 1);
  l.macs = f.integer("macs", 0, MaxCount);
  l.weight_bytes = f.integer("weight_bytes", 0, MaxCount);
  l.first_instruction = f.small("first_instruction", -1, instructions - 1);
  l.last_instruction = f.small("last_instruction", l.first_instruction, instructions - 1);
  l.complete_after = f.small("complete_after", -1, instructions - 1);
  if (l.complete_after >= 0 && isa::opcode(program[static_cast<std::size_t>(l.complete_after)]) != isa::Opcode::Store) {
    f.refuse("complete_after", "= " + std::to_string(l.complete_after) + " is not a store");
  }
  l.predicted_cycles = f.integer("predicted_cycles", 0, MaxCount);
  // The first files of this format have neither of these.
  if (f.has("weight_tiles")) {
    std::array<std::int64_t, 3> tiles{};
    f.numbers("weight_tiles", tiles, 0, MaxCount);
    l.weight_tiles = {tiles[0], tiles[1], tiles[2]};
    if (tiles[1] > tiles[0] || tiles[2] > tiles[1]) f.refuse("weight_tiles", "are not all tiles, those that are zero, and those of them that are left out");
  }
  if (f.has("mapping")) {
    for (const json& part : f.list("mapping")) l.mapping.push_back(mapping_from(f.item(part, "mapping")));
  }
  return l;
}

std::string numbered(const char* kind, std::size_t index) {
  char name[32];
  std::snprintf(name, sizeof name, "%s.%06zu", kind, index);
  return name;
}

std::string checksum(const std::string& version, const std::string& text,
                     const std::vector<std::pair<std::string, std::pair<const void*, std::size_t>>>& tensors) {
  Hash hash;
  hash.add(version);
  hash.add(text);
  for (const auto& [name, data] : tensors) {
    hash.add(name);
    hash.add(data.first, data.second);
  }
  return hash.text();
}

safetensors::Writer writer(const Schedule& s) {
  json meta = {{"network", s.network},
               {"machine", s.machine},
               {"machine_text", s.machine_text},
              {"machine_file", s.machine_file},
               {"isa_version", isa::Version},
               {"batch", s.batch},
               {"program_base", s.program_base},
               {"memory_bytes_used", s.memory_bytes_used},
               {"constant_addresses", json::array()},
              {"stored_inputs", json::array()},
              {"expected", json::array()},
               {"tensors", json::array()},
               {"layers", json::array()}};
  for (const ConstantSegment& c : s.constants) meta["constant_addresses"].push_back(c.address);
  for (const auto& [tensor, bytes] : s.stored_inputs) meta["stored_inputs"].push_back(tensor);
  for (const auto& [tensor, bytes] : s.expected) meta["expected"].push_back(tensor);
  for (const ScheduleTensor& t : s.tensors) meta["tensors"].push_back(to_json(t));
  for (const ScheduleLayer& l : s.layers) meta["layers"].push_back(to_json(l));
  const std::string version = std::to_string(FormatVersion), text = meta.dump(-1, ' ', false, json::error_handler_t::replace);

  // The order of names, as a reader sees tensors.
  std::vector<std::pair<std::string, std::pair<const void*, std::size_t>>> tensors;
  for (std::size_t c = 0; c < s.constants.size(); ++c) {
    tensors.push_back({numbered("constant", c), {s.constants[c].bytes.data(), s.constants[c].bytes.size()}});
  }
  for (const auto& [kind, stored] : {std::pair{"expected", &s.expected}, std::pair{"input", &s.stored_inputs}}) {
    for (const auto& [tensor, bytes] : *stored) {
      tensors.push_back({numbered(kind, static_cast<std::size_t>(tensor)), {bytes.data(), bytes.size()}});
    }
  }
  tensors.push_back({"program", {s.program.data(), s.program.size() * isa::InstructionBytes}});

  safetensors::Writer out;
  out.set_metadata("gemel_schedule", version);
  out.set_metadata("schedule", text);
  out.set_metadata("checksum", checksum(version, text, tensors));
  for (const auto& [name, data] : tensors) {
    const auto size = static_cast<std::int64_t>(data.second);
    const bool is_program = name == "program";
    out.add(name, safetensors::Dtype::U8,
            is_program ? std::vector<std::int64_t>{size / isa::InstructionBytes, isa::InstructionBytes}
                       : std::vector<std::int64_t>{size},
            data.first);
  }
  return out;
}

void check_program(const Schedule& s, const std::string& file) {
  const std::int32_t digest = digest_of_machine_text(s.machine_text);
  for (std::size_t i = 0; i < s.program.size(); ++i) {
    if (const auto bad = isa::check(s.program[i])) {
      fail("E0507", file,
           "the schedule contradicts itself: instruction " + std::to_string(i) + " is illegal: " + isa::to_string(*bad));
    }
    if (isa::opcode(s.program[i]) != isa::Opcode::Load) continue;
    const std::int32_t machine = isa::decode_load(s.program[i]).machine;
    if (machine != 0 && machine != digest) {
      fail("E0507", file, "the schedule contradicts itself: instruction " + std::to_string(i) + " is for another machine than the schedule");
    }
  }
}

Schedule from_file(const safetensors::File& file, Schedule::Checksum verification) {
  const std::string& name = file.path();
  const auto meta = [&](const char* key) -> const std::string& {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) {
      fail("E0502", name, "this is no schedule of Gemel: it has no metadata `" + std::string(key) + "`",
           "`gemel compile` makes schedules");
    }
    return found->second;
  };
  const std::string& version = meta("gemel_schedule");
  std::vector<std::pair<std::string, std::pair<const void*, std::size_t>>> tensors;
  for (const safetensors::View& view : file.tensors()) tensors.push_back({view.name, {view.data, view.bytes}});
  // First, for another format may count its checksum otherwise. (A flipped bit here is an error, too.)
  if (version != std::to_string(FormatVersion)) {
    fail("E0503", name, "the schedule has format " + version + ", and this Gemel reads " + std::to_string(FormatVersion),
         "compile the network again");
  }
  if (verification == Schedule::Checksum::Verify && meta("checksum") != checksum(version, meta("schedule"), tensors)) {
    fail("E0504", name, "the schedule is damaged: its checksum is not that of its contents",
         "compile the network again, or copy the file again");
  }

  json root;
  try {
    root = json::parse(meta("schedule"));
  } catch (const json::exception&) {
    fail("E0507", name, "the schedule contradicts itself: its description is not JSON");
  }
  const Fields f(root, "schedule", name);
  const std::int64_t isa_version = f.integer("isa_version", 0, std::numeric_limits<std::uint32_t>::max());
  if (isa_version != isa::Version) {
    fail("E0503", name, "the schedule is for instruction set " + std::to_string(isa_version) + ", and this Gemel has " +
                            std::to_string(isa::Version),
         "compile the network again");
  }
  Schedule s;
  s.network = f.text("network");
  s.machine = f.text("machine");
  s.machine_text = f.text("machine_text");
  s.machine_file = f.text("machine_file");
  s.batch = f.small("batch", 1);
  s.program_base = static_cast<std::uint64_t>(f.integer("program_base", 0, MaxAddress));
  if (s.program_base % isa::InstructionBytes != 0) f.refuse("program_base", "is not a multiple of 64");
  s.memory_bytes_used = f.integer("memory_bytes_used", 0, MaxAddress);

  const safetensors::View* program = file.find("program");
  if (program == nullptr || program->bytes % isa::InstructionBytes != 0) f.refuse("program", "is missing or odd");
  s.program.resize(program->bytes / isa::InstructionBytes);
  if (!s.program.empty()) std::memcpy(s.program.data(), program->data, program->bytes);
  check_program(s, name);

  const json& addresses = f.list("constant_addresses");
  const json &stored_inputs = f.list("stored_inputs"), &expected = f.list("expected");
  if (addresses.size() + stored_inputs.size() + expected.size() + 1 != file.tensors().size()) {
    f.refuse("constant_addresses", "does not fit the tensors of the file");
  }
  for (std::size_t c = 0; c < addresses.size(); ++c) {
    const safetensors::View* view = file.find(numbered("constant", c));
    if (view == nullptr) f.refuse("constant_addresses", "does not fit the tensors of the file");
    ConstantSegment segment;
    segment.address = static_cast<std::uint64_t>(f.integer(addresses[c], "constant_addresses", 0, MaxAddress));
    segment.bytes.assign(view->data, view->data + view->bytes);
    s.constants.push_back(std::move(segment));
  }
  const json& tensor_list = f.list("tensors");
  const json& layer_list = f.list("layers");
  for (std::size_t t = 0; t < tensor_list.size(); ++t) {
    s.tensors.push_back(tensor_from(Fields(tensor_list[t], "tensors[" + std::to_string(t) + "]", name),
                                    static_cast<int>(layer_list.size())));
  }
  for (std::size_t l = 0; l < layer_list.size(); ++l) {
    s.layers.push_back(layer_from(Fields(layer_list[l], "layers[" + std::to_string(l) + "]", name),
                                  static_cast<int>(tensor_list.size()), s.program));
  }

  const auto read_stored = [&](const char* key, const char* kind, const json& list, std::map<int, std::vector<std::uint8_t>>& stored) {
    for (const json& index : list) {
      const auto t = static_cast<std::size_t>(f.integer(index, key, 0, static_cast<std::int64_t>(s.tensors.size()) - 1));
      const safetensors::View* view = file.find(numbered(kind, t));
      const bool fits = view != nullptr && s.tensors[t].in_memory && static_cast<std::int64_t>(view->bytes) == s.tensors[t].bytes;
      if (!fits || !stored.emplace(static_cast<int>(t), std::vector<std::uint8_t>(view->data, view->data + view->bytes)).second) {
        f.refuse(key, "does not fit the tensors of the file");
      }
    }
  };
  read_stored("stored_inputs", "input", stored_inputs, s.stored_inputs);
  read_stored("expected", "expected", expected, s.expected);

  const auto used = static_cast<std::uint64_t>(s.memory_bytes_used);
  if (s.program_base + s.program.size() * isa::InstructionBytes > used) {
    f.refuse("program", "ends beyond memory_bytes_used");
  }
  for (const ConstantSegment& c : s.constants) {
    if (c.address + c.bytes.size() > used) f.refuse("constant_addresses", "lead beyond memory_bytes_used");
  }
  for (const ScheduleTensor& t : s.tensors) {
    if (t.in_memory && t.address + static_cast<std::uint64_t>(t.bytes) > used) {
      f.refuse("tensors", "lead beyond memory_bytes_used");
    }
  }
  return s;
}

// Runs `open` and gives the errors of the container the codes of schedules.
Schedule open_as_schedule(const std::string& name, const std::function<safetensors::File()>& open,
                          Schedule::Checksum verification) {
  try {
    return from_file(open(), verification);
  } catch (const UserError& error) {
    const Diagnostic& first = error.diagnostics().front();
    if (first.code == "E0301") fail("E0501", name, first.message);
    if (first.code == "E0302" || first.code == "E0303") {
      fail("E0502", name, "this is no schedule of Gemel, or it is damaged: " + first.message,
           "`gemel compile` makes schedules");
    }
    throw;
  }
}

}  // namespace

std::uint64_t Schedule::memory_base() const {
  std::uint64_t base = program_base;
  for (const ConstantSegment& segment : constants) base = std::min(base, segment.address);
  for (const ScheduleTensor& tensor : tensors) {
    if (tensor.in_memory) base = std::min(base, tensor.address);
  }
  return base;
}

namespace {

void require_no_host_layers(const Schedule& schedule) {
  for (const ScheduleLayer& layer : schedule.layers) {
    if (layer.on_host) {
      throw UserError("E0508", "layer `" + layer.name + "` (`" + to_string(layer.op) + "`) runs on the host, and a program file cannot hold it",
                      "run the workload with `gemel run`, or leave the layer out of it");
    }
  }
}

}  // namespace

void Schedule::save(const std::string& path) const {
  require_no_host_layers(*this);
  writer(*this).write(path);
}

std::string Schedule::bytes() const {
  require_no_host_layers(*this);
  return writer(*this).bytes();
}

Tensor tensor_of(const ScheduleTensor& t) {
  Tensor tensor;
  tensor.name = t.name;
  tensor.shape = t.shape;
  tensor.type = t.type;
  tensor.scale = t.scale;
  tensor.zero_point = t.zero_point;
  return tensor;
}

std::string Schedule::digest() const {
  Hash hash;
  hash.add(machine_text);
  hash.add(program.data(), program.size() * isa::InstructionBytes);
  hash.add(&program_base, sizeof program_base);
  for (const ConstantSegment& c : constants) {
    hash.add(&c.address, sizeof c.address);
    hash.add(c.bytes.data(), c.bytes.size());
  }
  json rest = json::array();
  for (const ScheduleTensor& t : tensors) rest.push_back(to_json(t));
  for (const HostStep& step : host_steps) {
    const Layer& l = step.what;
    rest.push_back({{"op", to_string(l.op())}, {"attributes", attribute_digest(l)}, {"before", step.before},
                    {"inputs", l.inputs}, {"output", l.output}, {"rounding", to_string(l.requant.rounding)},
                    {"multiplier", l.requant.multiplier}, {"shift", l.requant.shift}, {"clamp", {l.clamp_min, l.clamp_max}}});
    for (const HostStep::Weights& weights : step.weights) {
      hash.add(&weights.address, sizeof weights.address);
      hash.add(weights.source.data(), weights.source.size() * sizeof weights.source[0]);
    }
  }
  hash.add(rest.dump(-1, ' ', false, json::error_handler_t::replace));
  return hash.text();
}

Schedule Schedule::load(const std::string& path) {
  return open_as_schedule(path, [&] { return safetensors::File::open(path); }, Checksum::Verify);
}

Schedule Schedule::from_bytes(const void* bytes, std::size_t size, const std::string& name, Checksum verification) {
  return open_as_schedule(name, [&] { return safetensors::File::from_bytes(bytes, size, name); }, verification);
}

void require_machine(const Schedule& schedule, const Machine& machine) {
  require_machine(schedule.network, schedule.machine, schedule.machine_text, machine);
  if (schedule.memory_bytes_used > machine.memory_bytes) {
    throw UserError("E0506",
                    "the schedule of `" + schedule.network + "` needs " + std::to_string(schedule.memory_bytes_used) +
                        " bytes of memory, and the machine `" + machine.name + "` has " + std::to_string(machine.memory_bytes),
                    "raise memory.size_bytes; what was compiled stays as it is");
  }
}

void require_machine(const std::string& network, const std::string& compiled_for, const std::string& text, const Machine& machine) {
  const std::string here = machine_text(machine);
  if (text == here) return;
  throw UserError("E0505",
                  "the schedule of `" + network + "` was compiled for machine `" + compiled_for + "`, and this is `" + machine.name +
                      "`: " + machine_differences(text, here),
                  "compile the network for this machine, or run it with --machine " + compiled_for);
}

}  // namespace gemel
