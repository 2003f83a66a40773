// SPDX-License-Identifier: Apache-2.0
// Reads workload files. One pass over the layers in their order, each in four steps: (1) its inputs, (2) its keys,
// (3) shapes, (4) numbers: from the tensors file, or drawn from the seed. Whatever is wrong is collected; a layer that
// cannot be understood leaves an output of unknown shape, and what depends on that is read but not judged.
#include "network/workload.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>
#include <unordered_map>

#include "base/numerics.hpp"
#include "base/text.hpp"
#include "config/home.hpp"
#include "config/yaml_reader.hpp"
#include "network/quantization.hpp"
#include "network/safetensors.hpp"
#include "network/scalesim.hpp"
#include "network/synthetic.hpp"

namespace gemel {
namespace {

using quantization::Activation;
using safetensors::Dtype;
using synthetic::Statistics;

constexpr std::int64_t MostChannels = 1 << 20;           // of outputs
constexpr std::int64_t MostLength = 1 << 24;             // of one dimension of a tensor
constexpr std::int64_t MostElements = std::int64_t{1} << 40;  // of one tensor
constexpr std::int64_t MostWeights = std::int64_t{1} << 33;   // of a synthetic network, with data
constexpr std::int64_t MostKernel = 1 << 20;             // also strides, dilations, paddings
constexpr double LeastScale = 1e-12, MostScale = 1e12;   // products of three stay finite in float32
constexpr int MostShift = 30;                            // what the requantizer can shift left

const std::vector<std::string> OpNames = {"conv2d",   "dense",    "matmul",          "add",  "max_pool",
                                          "avg_pool", "table",    "global_avg_pool", "reshape"};
const std::vector<std::string> LayerKeys = {"name",   "op",       "input",  "inputs", "out_channels", "kernel", "stride", "dilation",
                                            "padding", "groups",  "activation", "clamp", "output", "weight", "function", "shape",
                                            "arithmetic"};
// What others call operators: ONNX, TFLite, PyTorch, Keras. (`folded()` names, see YamlValue::as_choice().)
const YamlValue::Synonyms OpSynonyms = {
    {"conv", "`conv2d`"},
    {"convolution", "`conv2d`"},
    {"depthwiseconv2d", "`conv2d` with `groups: depthwise`"},
    {"depthwise", "`conv2d` with `groups: depthwise`"},
    {"dwconv", "`conv2d` with `groups: depthwise`"},
    {"linear", "`dense`"},
    {"fc", "`dense`"},
    {"fullyconnected", "`dense`"},
    {"innerproduct", "`dense`"},
    {"gemm", "`matmul`"},
    {"maxpool2d", "`max_pool`"},
    {"avgpool2d", "`avg_pool`"},
    {"averagepool", "`avg_pool`"},
    {"averagepool2d", "`avg_pool`"},
    {"mean", "`global_avg_pool`"},
    {"gap", "`global_avg_pool`"},
    {"globalaveragepool", "`global_avg_pool`"},
    {"globalaveragepooling2d", "`global_avg_pool`"},
    {"adaptiveavgpool2d", "`global_avg_pool`"},
    {"flatten", "`reshape`"},
    {"view", "`reshape`"},
    {"squeeze", "`reshape`"},
    {"quantize", "`op: table, function: identity`"},
    {"requantize", "`op: table, function: identity`"},
    {"relu6", "`activation: relu6` of the layer before"},
    {"swish", "`op: table, function: silu`"},
    {"lut", "`table`"},
};
const YamlValue::Synonyms FunctionSynonyms = {{"swish", "`silu`"}, {"hswish", "`hard_swish`"}, {"hsigmoid", "`hard_sigmoid`"},
                                              {"logistic", "`sigmoid`"}, {"relu6", "`activation: relu6` of the layer before"}};

// ... and the functions of `table`, which are no operators of their own.
YamlValue::Synonyms op_synonyms() {
  YamlValue::Synonyms synonyms = OpSynonyms;
  for (const std::string& name : quantization::table_function_names()) {
    std::string key;
    std::copy_if(name.begin(), name.end(), std::back_inserter(key), [](char c) { return c != '_'; });
    synonyms.emplace(key, "`op: table, function: " + name + "`");
  }
  return synonyms;
}

const std::vector<std::string> ArithmeticNames = {"fixed_double", "fixed_single", "float"};
const std::vector<std::string> ActivationNames = {"none", "relu", "relu6", "relu_n1_to_1"};
const std::vector<std::string> TypeNames = {"int8", "uint8"};

ElementType type_named(const std::string& name) { return name == "int8" ? ElementType::Int8 : ElementType::UInt8; }

int index_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct Pair {
  int h = 1, w = 1;
};

// How a layer's numbers are known: from a file, from a seed, or not at all (an error has been reported).
enum class Source { None, File, Seed };

class Loader {
 public:
  Loader(YamlReader reader, std::string file, const LoadOptions& options) : reader_(std::move(reader)), options_(options) {
    net_.file = std::move(file);
  }
  Network load();

 private:
  // What is known of a tensor beside net_.tensors; same index.
  struct State {
    bool known = false;  // shape and quantization are valid
    Statistics statistics;
  };
  // A layer while it is read.
  struct Draft {
    YamlMap map;
    Layer layer;
    std::string op;
    bool valid = true;  // nothing wrong so far: shapes and numbers may be worked out
    Tensor output;
    Statistics statistics;
    Activation activation = Activation::None;
    Window window;
    YamlValue where() const { return map.value(); }
  };

  void read_sources(YamlMap& top);
  void read_input(const YamlValue& item);
  void read_layer(const YamlValue& item);
  void read_inputs(Draft& d);
  void read_outputs(YamlMap& top);
  void find_unused_tensors();

  void read_conv(Draft& d);
  void read_add(Draft& d);
  void read_pool(Draft& d);
  void read_global_pool(Draft& d);
  void read_table(Draft& d);
  void read_reshape(Draft& d);

  // Step 2: keys.
  Pair read_pair(YamlMap& map, const std::string& key, std::int64_t otherwise);  // otherwise 0: required
  Shape read_shape(const YamlValue& value, bool& valid);
  void read_quantization(YamlMap& map, Tensor& tensor, bool& valid);
  void read_output(Draft& d);
  void read_inherited_output(Draft& d);
  void read_activation(Draft& d);
  void read_padding(Draft& d, const Nhwc& in, Pair window);
  Rounding read_rounding(Draft& d);
  // Step 3: shapes.
  bool slide(Draft& d, const Nhwc& in, Pair window, Nhwc& out);
  bool check_size(const YamlValue& where, const std::string& what, const Shape& shape);
  // Step 4: numbers.
  const safetensors::View* tensor(const Draft& d, const std::string& suffix, Dtype dtype, bool required);
  template <class T>
  std::vector<T> values(const Draft& d, const std::string& suffix, Dtype dtype, std::size_t count, bool one_will_do);
  bool explicit_requant(Draft& d, std::size_t count);
  void load_conv_numbers(Draft& d, bool dense);
  void check_shifts(Draft& d);
  void set_clamp(Draft& d);
  void choose_output(Draft& d, const Statistics& range);

  int add_tensor(Tensor tensor, State state);
  bool claim_name(const YamlValue& where, const std::string& name);
  const Tensor& in(const Draft& d, int i = 0) const { return net_.tensors[d.layer.inputs[i]]; }
  const Statistics& in_statistics(const Draft& d, int i = 0) const { return states_[d.layer.inputs[i]].statistics; }
  void fail(Draft& d, const YamlValue& where, const std::string& message, const char* code, const std::string& note = {},
            const std::string& hint = {}) {
    where.complain(message, note, hint, code);
    d.valid = false;
  }

  YamlReader reader_;
  LoadOptions options_;
  Network net_;
  std::vector<State> states_;
  std::unordered_map<std::string, int> by_name_;
  std::unordered_map<std::string, int> later_;  // layer names of the whole file, with their lines
  Rounding rounding_ = Rounding::FixedDouble;
  Source source_ = Source::None;
  std::uint64_t seed_ = 1;
  std::int64_t weights_ = 0;
  int file_batch_ = 0;  // n of the inputs as the file gives it
  std::optional<safetensors::File> tensors_;
  std::set<std::string, std::less<>> used_;
};

Network Loader::load() {
  YamlMap top = reader_.root().map();
  top.integer("gemel_workload", 1, 1);
  net_.name = top.text("name");
  if (const YamlValue name = top.find("name"); name.is_scalar() && !name_problem(net_.name).empty())
    name.complain("`name` cannot be a name: it " + name_problem(net_.name));
  net_.description = top.text("description", "");
  if (const YamlValue text = top.find("description"); !net_.description.empty() && !name_problem(net_.description).empty())
    text.complain("`description` cannot be shown: it " + name_problem(net_.description));
  rounding_ = static_cast<Rounding>(index_of(ArithmeticNames, top.choice("arithmetic", ArithmeticNames, ArithmeticNames[0])));
  read_sources(top);

  const auto inputs = top.list("inputs");
  const auto layers = top.list("layers");
  if (top.has("inputs") && top.find("inputs").is_list() && inputs.empty())
    top.find("inputs").complain("`inputs` is empty: a network reads something");
  if (top.has("layers") && top.find("layers").is_list() && layers.empty())
    top.find("layers").complain("`layers` is empty: a network does something");
  for (const YamlValue& item : layers)
    if (item.is_map()) {
      YamlMap map = item.map();
      later_.emplace(map.find("name").scalar(), item.line());
    }
  for (const YamlValue& item : inputs) read_input(item);
  for (const YamlValue& item : layers) {
    if (options_.interrupted && *options_.interrupted) throw Interrupted("interrupted while reading " + net_.file);
    read_layer(item);
  }
  read_outputs(top);
  find_unused_tensors();
  top.done("docs/reference/workloads.md lists every key");
  reader_.finish();
  return std::move(net_);
}

void Loader::read_sources(YamlMap& top) {
  const YamlValue file = top.find("tensors");
  const auto synthetic = top.optional_map("synthetic");
  if (file.exists() && synthetic) {
    file.complain("`tensors` and `synthetic` are both given", {}, "keep the one that the network's numbers come from", "E0215");
  } else if (!file.exists() && !synthetic) {
    if (top.value().is_map())
      top.value().complain("neither `tensors` nor `synthetic` says where the network's numbers come from", {},
                           "add `tensors: FILE.safetensors` or `synthetic: {seed: 1}`", "E0215");
  } else if (synthetic) {
    YamlMap map = *synthetic;
    seed_ = static_cast<std::uint64_t>(map.integer("seed", 0, INT64_MAX, 1));
    map.done();
    if (options_.seed) seed_ = *options_.seed;
    source_ = Source::Seed;
  } else if (const auto path = file.as_text()) {
    net_.tensors_file = (std::filesystem::path(net_.file).parent_path() / *path).string();
    try {
      tensors_ = safetensors::File::open(net_.tensors_file);
      source_ = Source::File;
    } catch (const UserError& error) {
      for (const Diagnostic& d : error.diagnostics()) reader_.add(d);
    }
  }
}

int Loader::add_tensor(Tensor tensor, State state) {
  const int index = static_cast<int>(net_.tensors.size());
  by_name_.emplace(tensor.name, index);
  net_.tensors.push_back(std::move(tensor));
  states_.push_back(state);
  return index;
}

bool Loader::claim_name(const YamlValue& where, const std::string& name) {
  if (!where.is_scalar()) return false;  // complained of already
  if (const std::string problem = name_problem(name); !problem.empty()) {
    where.complain("`" + where.path() + "` cannot be a name: it " + problem);
    return false;
  }
  if (!by_name_.count(name)) return true;
  where.complain("the name `" + name + "` is taken: every input and layer needs its own", {}, {}, "E0209");
  return false;
}

bool Loader::check_size(const YamlValue& where, const std::string& what, const Shape& s) {
  bool fits = s.checked_elements(MostElements) >= 0;
  for (const std::int64_t length : s) fits = fits && length <= MostLength;
  if (!fits)
    where.complain(what + " has the shape " + to_string(s) + ", which is too large", {},
                   "a dimension may be 2^24 long, and a tensor may have 2^40 elements", "E0214");
  return fits;
}

Shape Loader::read_shape(const YamlValue& value, bool& valid) {
  Nhwc shape;
  const auto items = value.as_list();
  if (items.size() != 4) {
    if (value.is_list())
      value.complain("`" + value.path() + "` has " + std::to_string(items.size()) + " entries, but must have 4: [n, h, w, c]");
    valid = false;
    return shape;
  }
  int* const lengths[] = {&shape.n, &shape.h, &shape.w, &shape.c};
  for (int i = 0; i < 4; ++i) {
    const auto length = items[i].as_integer(1, MostLength);
    if (length) *lengths[i] = static_cast<int>(*length);
    else valid = false;
  }
  return shape;
}

Pair Loader::read_pair(YamlMap& map, const std::string& key, std::int64_t otherwise) {
  const YamlValue value = otherwise ? map.find(key) : map.require(key);
  Pair pair;
  if (!value.exists()) return pair;
  if (!value.is_list()) {
    const auto both = value.as_integer(1, MostKernel);
    pair.h = pair.w = static_cast<int>(both.value_or(1));
    return pair;
  }
  const auto items = value.as_list();
  if (items.size() != 2) {
    value.complain("`" + value.path() + "` has " + std::to_string(items.size()) + " entries, but must have 2: [h, w]");
    return pair;
  }
  pair.h = static_cast<int>(items[0].as_integer(1, MostKernel).value_or(1));
  pair.w = static_cast<int>(items[1].as_integer(1, MostKernel).value_or(1));
  return pair;
}

// Scale, zero point and type. In a synthetic network the scale may be missing: scale 0 says so.
void Loader::read_quantization(YamlMap& map, Tensor& tensor, bool& valid) {
  tensor.type = type_named(map.choice("type", TypeNames, TypeNames[0]));
  tensor.scale = 0;
  const YamlValue scale = source_ == Source::File ? map.require("scale") : map.find("scale");
  if (scale.exists()) {
    const auto value = scale.as_number(LeastScale, MostScale);
    tensor.scale = static_cast<float>(value.value_or(1.0));
    valid = valid && value;
  } else if (source_ == Source::File) {
    valid = false;
  }
  const YamlValue zero = map.find("zero_point");
  if (zero.exists() && !scale.exists() && source_ == Source::Seed) {
    zero.complain("`zero_point` is given without `scale`", {}, "give both, or neither: then both are drawn", "E0212");
    valid = false;
  } else if (zero.exists()) {
    const auto value = zero.as_integer(min_value(tensor.type), max_value(tensor.type));
    tensor.zero_point = static_cast<int>(value.value_or(0));
    valid = valid && value;
  }
}

void Loader::read_input(const YamlValue& item) {
  if (!item.is_map()) {
    item.map();  // says so
    return;
  }
  YamlMap map = item.map();
  bool valid = true;
  Tensor tensor;
  tensor.name = map.text("name");
  valid = claim_name(map.find("name"), tensor.name) && valid;
  const YamlValue shape = map.require("shape");
  if (shape.exists()) tensor.shape = read_shape(shape, valid);
  else valid = false;
  read_quantization(map, tensor, valid);
  map.done();
  if (tensor.scale == 0) synthetic::choose_output(tensor, {0.0, 1.0}, synthetic::stream(seed_, tensor.name, "scale"));
  if (valid) {
    if (file_batch_ == 0) file_batch_ = static_cast<int>(tensor.shape[0]);
    if (options_.batch > 0) {
      if (tensor.shape[0] != file_batch_) {
        shape.complain("the inputs have different numbers of images, so no other batch can be chosen", {}, {}, "E0216");
        valid = false;
      }
      tensor.shape[0] = options_.batch;
    }
    valid = valid && check_size(item, "input `" + tensor.name + "`", tensor.shape);
  }
  const Statistics statistics = synthetic::of_input(tensor);
  net_.inputs.push_back(add_tensor(std::move(tensor), {valid, statistics}));
}

void Loader::read_inputs(Draft& d) {
  const bool two = d.op == "add";
  std::vector<YamlValue> items;
  if (const YamlValue list = d.map.find("inputs"); list.exists()) {
    items = list.as_list();
    if (!list.is_list()) d.valid = false;
    if (const YamlValue one = d.map.find("input"); one.exists())
      fail(d, one, "`input` and `inputs` are both given", nullptr);
  } else if (const YamlValue one = d.map.find("input"); one.exists()) {
    items.push_back(one);
  } else if (!two && !net_.tensors.empty()) {
    const int previous = net_.layers.empty() ? 0 : net_.layers.back().output;
    // Not the last of several inputs, and not the tensor of a layer that could not be added.
    d.layer.inputs.push_back(previous);
    d.valid = d.valid && states_[previous].known;
    return;
  }
  if (items.size() != (two ? 2u : 1u)) {
    if (d.valid && !net_.tensors.empty())
      fail(d, d.where(), "`" + d.op + "` takes " + (two ? "two inputs" : "one input") + ", but " + std::to_string(items.size()) +
                             (items.size() == 1 ? " is given" : " are given"), nullptr,
           two ? "write `inputs: [first, second]`" : "");
    d.valid = false;
    return;
  }
  for (const YamlValue& item : items) {
    const auto name = item.as_text();
    if (!name) {
      d.valid = false;
      continue;
    }
    const auto found = by_name_.find(*name);
    if (found != by_name_.end()) {
      d.layer.inputs.push_back(found->second);
      d.valid = d.valid && states_[found->second].known;
      continue;
    }
    if (const auto later = later_.find(*name); later != later_.end()) {
      fail(d, item, "`" + *name + "` is made on line " + std::to_string(later->second) + ", after it is read here", "E0210", {},
           "layers stand in the order of execution, and none may depend on itself");
    } else {
      std::vector<std::string> names;
      for (const Tensor& t : net_.tensors) names.push_back(t.name);
      fail(d, item, "there is no tensor `" + *name + "`", "E0210", did_you_mean(*name, names));
    }
  }
}

void Loader::read_layer(const YamlValue& item) {
  Draft d{item.map(), {}, {}, true, {}, {}, {}, {}};
  if (!item.is_map()) return;
  d.layer.line = item.line();
  d.layer.name = d.map.text("name");
  d.valid = claim_name(d.map.find("name"), d.layer.name);
  d.output.name = d.layer.name;
  const YamlValue op = d.map.require("op");
  const auto known_op = op.exists() ? op.as_choice(OpNames, op_synonyms()) : std::nullopt;
  d.op = known_op.value_or("");
  if (!known_op) {
    d.map.also_known(LayerKeys);
    d.map.done();
    const int index = add_tensor(d.output, {});
    d.layer.output = index;
    d.layer.inputs = {index};
    net_.layers.push_back(std::move(d.layer));  // the next layer's default input; nothing is returned after an error
    return;
  }
  if (source_ == Source::None) d.valid = false;
  read_inputs(d);
  if (d.op == "conv2d" || d.op == "dense" || d.op == "matmul") read_conv(d);
  else if (d.op == "add") read_add(d);
  else if (d.op == "max_pool" || d.op == "avg_pool") read_pool(d);
  else if (d.op == "global_avg_pool") read_global_pool(d);
  else if (d.op == "table") read_table(d);
  else read_reshape(d);
  d.map.done("docs/reference/workloads.md lists the keys that `" + d.op + "` takes");
  d.layer.output = add_tensor(d.output, {d.valid, d.statistics});
  net_.layers.push_back(std::move(d.layer));
}

Rounding Loader::read_rounding(Draft& d) {
  const std::string chosen = d.map.choice("arithmetic", ArithmeticNames, ArithmeticNames[static_cast<int>(rounding_)]);
  return static_cast<Rounding>(index_of(ArithmeticNames, chosen));
}

void Loader::read_activation(Draft& d) {
  d.activation = static_cast<Activation>(index_of(ActivationNames, d.map.choice("activation", ActivationNames, "none")));
  const YamlValue clamp = d.map.find("clamp");
  if (!clamp.exists()) return;
  if (d.activation != Activation::None) {
    fail(d, clamp, "`clamp` and `activation` are both given", "E0212", {}, "an activation is a clamp: keep one of them");
    return;
  }
  const auto items = clamp.as_list();
  if (items.size() != 2) {
    if (clamp.is_list()) clamp.complain("`clamp` must have 2 entries: [min, max] in 8-bit values");
    d.valid = false;
    return;
  }
  const auto least = items[0].as_integer(-128, 255), most = items[1].as_integer(-128, 255);
  if (!least || !most) {
    d.valid = false;
    return;
  }
  d.layer.clamp_min = static_cast<int>(*least);
  d.layer.clamp_max = static_cast<int>(*most);
}

void Loader::set_clamp(Draft& d) {
  const auto range = quantization::activation_clamp(d.activation, d.output);
  const YamlValue clamp = d.map.find("clamp");
  if (!clamp.exists()) {
    d.layer.clamp_min = range.min;
    d.layer.clamp_max = range.max;
  } else if (d.layer.clamp_min > d.layer.clamp_max || d.layer.clamp_min < range.min || d.layer.clamp_max > range.max) {
    fail(d, clamp, "`clamp` is [" + std::to_string(d.layer.clamp_min) + ", " + std::to_string(d.layer.clamp_max) +
                       "], but must lie in order between " + std::to_string(range.min) + " and " + std::to_string(range.max), "E0212");
  }
}

// Scale and zero point of a synthetic layer's output, unless the file gives them.
void Loader::choose_output(Draft& d, const Statistics& range) {
  if (d.output.scale == 0) synthetic::choose_output(d.output, range, synthetic::stream(seed_, d.layer.name, "scale"));
}

void Loader::read_output(Draft& d) {
  const bool required = source_ == Source::File;
  const YamlValue value = required ? d.map.require("output") : d.map.find("output");
  d.output.scale = 0;
  if (!value.exists()) {
    d.valid = d.valid && !required;
    return;
  }
  if (!value.is_map()) d.valid = false;
  YamlMap map = value.map();
  if (value.is_map()) read_quantization(map, d.output, d.valid);
  map.done();
}

// Pools and views hand on scale and zero point; `output` may repeat them.
void Loader::read_inherited_output(Draft& d) {
  const YamlValue value = d.map.find("output");
  if (d.layer.inputs.empty()) {
    d.map.also_known({"output"});
    d.valid = false;
    return;
  }
  const Tensor& input = in(d);
  d.output.type = input.type;
  d.output.scale = input.scale;
  d.output.zero_point = input.zero_point;
  if (!value.exists()) return;
  YamlMap map = value.map();
  const ElementType type = type_named(map.choice("type", TypeNames, to_string(input.type)));
  const auto scale = static_cast<float>(map.number("scale", LeastScale, MostScale, input.scale));
  const std::int64_t zero = map.integer("zero_point", -128, 255, input.zero_point);
  map.done();
  if (d.valid && (type != input.type || scale != static_cast<float>(input.scale) || zero != input.zero_point))
    fail(d, value, "`" + d.op + "` keeps its input's type, scale and zero point, but `output` differs", "E0212",
         "the input has type " + std::string(to_string(input.type)) + ", scale " + format_number(input.scale) +
             " and zero point " + std::to_string(input.zero_point),
         "leave `output` out, or requantize with `op: table, function: identity`");
}

void Loader::read_padding(Draft& d, const Nhwc& input, Pair window) {
  const YamlValue value = d.map.find("padding");
  Window& l = d.window;
  if (!value.exists()) return;
  if (value.is_list()) {
    const auto items = value.as_list();
    if (items.size() != 4) {
      fail(d, value, "`" + value.path() + "` has " + std::to_string(items.size()) +
                         " entries, but must have 4: [top, left, bottom, right]", nullptr);
      return;
    }
    int* const sides[] = {&l.pad_top, &l.pad_left, &l.pad_bottom, &l.pad_right};
    for (int i = 0; i < 4; ++i) {
      const auto pixels = items[i].as_integer(0, MostKernel);
      d.valid = d.valid && pixels;
      *sides[i] = static_cast<int>(pixels.value_or(0));
    }
    return;
  }
  if (value.as_choice({"same", "valid"}).value_or("valid") == "valid") return;
  const auto total = [](std::int64_t length, std::int64_t span, std::int64_t stride) {
    return std::max<std::int64_t>((ceil_div(length, stride) - 1) * stride + span - length, 0);
  };
  const std::int64_t h = total(input.h, window.h, l.stride_h), w = total(input.w, window.w, l.stride_w);
  l.pad_top = static_cast<int>(h / 2);
  l.pad_left = static_cast<int>(w / 2);
  l.pad_bottom = static_cast<int>(h - h / 2);  // the odd pixel at the end
  l.pad_right = static_cast<int>(w - w / 2);
}

// Output height and width of a window (kernel and dilation) that slides over the padded input.
bool Loader::slide(Draft& d, const Nhwc& input, Pair window, Nhwc& out) {
  const Window& l = d.window;
  const std::int64_t h = std::int64_t{input.h} + l.pad_top + l.pad_bottom, w = std::int64_t{input.w} + l.pad_left + l.pad_right;
  if (window.h > h || window.w > w) {
    const bool dilated = l.dilation_h > 1 || l.dilation_w > 1;
    fail(d, d.where(), "layer `" + d.layer.name + "`: the kernel covers " + std::to_string(window.h) + "x" + std::to_string(window.w) +
                           (dilated ? " pixels (dilated)" : " pixels") + ", but its padded input has " + std::to_string(h) + "x" +
                           std::to_string(w), "E0211");
    return false;
  }
  out.n = input.n;
  out.h = static_cast<int>((h - window.h) / l.stride_h + 1);
  out.w = static_cast<int>((w - window.w) / l.stride_w + 1);
  return true;
}

void Loader::read_conv(Draft& d) {
  Layer& l = d.layer;
  const bool is_conv = d.op == "conv2d", dense = d.op == "dense";
  if (is_conv) l.attributes = Conv2d{};
  else if (dense) l.attributes = Dense{};
  else l.attributes = MatMul{};
  l.requant.rounding = read_rounding(d);
  if (dense && d.valid) {  // one row per image
    const Nhwc image = in(d).nhwc();
    const std::int64_t row = std::int64_t{image.h} * image.w * image.c;
    if (row > MostLength) {
      fail(d, d.where(), "layer `" + l.name + "`: a row of " + std::to_string(row) + " values is too long", "E0214", {},
           "a dimension may be 2^24 long");
    }
  }
  Nhwc input = d.layer.inputs.empty() ? Nhwc{} : in(d).nhwc();
  if (dense) input = {input.n, 1, 1, static_cast<int>(std::min(MostLength, std::int64_t{input.h} * input.w * input.c))};

  // Keys.
  Pair window;
  if (is_conv) {
    const Pair kernel = read_pair(d.map, "kernel", 0), stride = read_pair(d.map, "stride", 1),
               dilation = read_pair(d.map, "dilation", 1);
    Window& slides = d.window;
    slides.kernel_h = kernel.h, slides.kernel_w = kernel.w;
    slides.stride_h = stride.h, slides.stride_w = stride.w;
    slides.dilation_h = dilation.h, slides.dilation_w = dilation.w;
    const auto span = [](std::int64_t k, std::int64_t spread) { return (k - 1) * spread + 1; };
    const std::int64_t h = span(kernel.h, dilation.h), w = span(kernel.w, dilation.w);
    if (h > MostKernel || w > MostKernel)
      fail(d, d.where(), "layer `" + l.name + "`: the dilated kernel covers " + std::to_string(h) + "x" + std::to_string(w) +
                             " pixels, which is too large", "E0214", {}, "it may cover 2^20 in each direction");
    else
      window = {static_cast<int>(h), static_cast<int>(w)};
    read_padding(d, input, window);
  }
  int groups = 1;
  bool depthwise = false;
  const YamlValue groups_value = is_conv ? d.map.find("groups") : YamlValue();
  if (groups_value.exists()) {
    if (groups_value.is_scalar() && !groups_value.is_integer())
      depthwise = groups_value.as_choice({"depthwise"}).has_value(), d.valid = d.valid && depthwise;
    else if (const auto count = groups_value.as_integer(1, MostLength)) groups = static_cast<int>(*count);
    else d.valid = false;
  }
  if (depthwise) groups = input.c;
  const YamlValue out_value = depthwise ? d.map.find("out_channels") : d.map.require("out_channels");
  int out_channels = depthwise ? input.c : 1;
  if (out_value.exists()) {
    const auto count = out_value.as_integer(1, MostChannels);
    out_channels = static_cast<int>(count.value_or(1));
    d.valid = d.valid && count;
  } else if (!depthwise) {
    d.valid = false;
  }
  const YamlValue weight = d.map.find("weight");
  if (weight.exists()) {
    YamlMap map = weight.map();
    Weights& weights = *l.weights();
    weights.type = type_named(map.choice("type", TypeNames, TypeNames[0]));
    weights.zero_point = static_cast<int>(map.integer("zero_point", min_value(weights.type), max_value(weights.type), 0));
    map.done();
  }
  read_activation(d);
  read_output(d);
  if (!d.valid) return;

  // Shapes.
  if (input.c % groups != 0 || out_channels % groups != 0) {
    const bool by_input = input.c % groups != 0;
    fail(d, groups_value, "layer `" + l.name + "`: " + (by_input ? "its input has " : "it makes ") +
                              std::to_string(by_input ? input.c : out_channels) + " channels, which do not divide into " +
                              std::to_string(groups) + " groups", "E0211");
    return;
  }
  Nhwc out;
  if (!slide(d, input, window, out)) return;
  out.c = out_channels;
  if (Conv2d* conv = l.get<Conv2d>()) {
    conv->groups = groups;
    conv->window = d.window;
  }
  d.output.shape = out;
  if (!check_size(d.where(), "the output of layer `" + l.name + "`", out)) {
    d.valid = false;
    return;
  }
  load_conv_numbers(d, dense);
}

// The weights' shape as messages show it.
std::string weight_shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t length : shape) text += (text.empty() ? "[" : ", ") + std::to_string(length);
  return text + "]";
}

const safetensors::View* Loader::tensor(const Draft& d, const std::string& suffix, Dtype dtype, bool required) {
  const std::string name = d.layer.name + "." + suffix;
  const safetensors::View* view = tensors_->find(name);
  used_.insert(name);
  if (!view) {
    if (required) {
      std::vector<std::string> names;
      for (const auto& t : tensors_->tensors()) names.push_back(t.name);
      d.where().complain("tensor `" + name + "` is missing in " + net_.tensors_file, did_you_mean(name, names), {}, "E0304");
    }
    return nullptr;
  }
  if (view->dtype != dtype) {
    d.where().complain("tensor `" + name + "` is " + safetensors::to_string(view->dtype) + ", but must be " +
                           safetensors::to_string(dtype), {}, {}, "E0305");
    return nullptr;
  }
  return view;
}

// A tensor of one dimension; empty if it is not there or wrong (then it has been said).
template <class T>
std::vector<T> Loader::values(const Draft& d, const std::string& suffix, Dtype dtype, std::size_t count, bool one_will_do) {
  const safetensors::View* view = tensor(d, suffix, dtype, false);
  if (!view) return {};
  const bool fits = view->shape.size() == 1 && (view->elements() == static_cast<std::int64_t>(count) ||
                                                (one_will_do && view->elements() == 1));
  if (!fits) {
    d.where().complain("tensor `" + view->name + "` has the shape " + view->shape_text() + ", but must have [" +
                           std::to_string(count) + "]" + (one_will_do && count != 1 ? " or [1]" : ""), {}, {}, "E0306");
    return {};
  }
  return tensors_->read<T>(view->name);
}

// Multiplier and shift from the file, if they are there. True if they were (right or wrong): no scales are needed then.
bool Loader::explicit_requant(Draft& d, std::size_t count) {
  if (source_ != Source::File) return false;
  const std::string prefix = d.layer.name + ".";
  const bool any = tensors_->find(prefix + "multiplier") || tensors_->find(prefix + "shift");
  if (!any) return false;
  if (d.layer.requant.rounding == Rounding::Float) {
    used_.insert(prefix + "multiplier"), used_.insert(prefix + "shift");
    fail(d, d.where(), "layer `" + d.layer.name + "` has `float` arithmetic, which takes scales and not multipliers", "E0307");
    return true;
  }
  if (!tensor(d, "multiplier", Dtype::I32, true) || !tensor(d, "shift", Dtype::I32, true)) {
    d.valid = false;
    return true;
  }
  const auto multiplier = values<std::int32_t>(d, "multiplier", Dtype::I32, count, false);
  const auto shift = values<std::int32_t>(d, "shift", Dtype::I32, count, false);
  if (multiplier.empty() || shift.empty()) {
    d.valid = false;
    return true;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (multiplier[i] < 0) {
      fail(d, d.where(), "tensor `" + prefix + "multiplier`: entry " + std::to_string(i) + " is " + std::to_string(multiplier[i]) +
                             ", but must be 0 to 2147483647", "E0307");
      break;
    }
    if (shift[i] < -31 || shift[i] > MostShift) {
      fail(d, d.where(), "tensor `" + prefix + "shift`: entry " + std::to_string(i) + " is " + std::to_string(shift[i]) +
                             ", but must be -31 to 30", "E0307");
      break;
    }
  }
  d.layer.requant.multiplier = multiplier;
  d.layer.requant.shift.assign(shift.begin(), shift.end());
  return true;
}

// A scale quotient beyond what multiplier and shift can say is an error of the scales (TFLite would saturate).
void Loader::check_shifts(Draft& d) {
  const Requant& r = d.layer.requant;
  for (std::size_t i = 0; i < r.shift.size(); ++i)
    if (r.rounding != Rounding::Float && r.shift[i] >= MostShift && r.multiplier[i] == INT32_MAX) {
      fail(d, d.where(), "layer `" + d.layer.name + "`: its scales ask for a multiplication by 2^30 or more", "E0212", {},
           "the scale of the output is too small for those of the inputs and weights");
      return;
    }
}

void Loader::load_conv_numbers(Draft& d, bool dense) {
  Layer& l = d.layer;
  const Tensor& input = in(d);
  const Convolution conv = as_convolution(l, input.shape, d.output.shape);
  Weights& weights = *l.weights();
  const int out_channels = conv.out.c, depth = conv.in.c / conv.groups;
  const std::int64_t per_channel = std::int64_t{conv.window.kernel_h} * conv.window.kernel_w * depth;
  std::int64_t count = 0;
  if (__builtin_mul_overflow(per_channel, std::int64_t{out_channels}, &count)) count = INT64_MAX;
  std::vector<float> scales;
  if (source_ == Source::Seed) {
    weights_ = count > MostWeights - weights_ ? MostWeights + 1 : weights_ + count;
    if (weights_ > MostWeights) {
      fail(d, d.where(), "layer `" + l.name + "`: the network's synthetic weights exceed 8 GiB", "E0214");
      weights_ = 0;
      return;
    }
    // Real values get the deviation 1, relu6 fills its range, and a given output scale decides by itself.
    double deviation = d.activation == Activation::Relu6 ? 2.5 : d.activation == Activation::ReluN1To1 ? 0.7 : 1.0;
    if (d.output.scale > 0) deviation = d.output.scale * (d.activation == Activation::None ? 40.0 : 64.0);
    scales = synthetic::fill_weights(weights, l.name, out_channels, per_channel, {input, in_statistics(d)}, deviation, seed_,
                                     options_.timing_only);
    d.statistics = synthetic::after_activation(d.activation, {0.0, 1.05 * deviation});
    choose_output(d, synthetic::range_after(d.activation, {0.0, 1.05 * deviation}));
  } else {
    const Dtype dtype = weights.type == ElementType::Int8 ? Dtype::I8 : Dtype::U8;
    const safetensors::View* weight = tensor(d, "weight", dtype, true);
    if (weight) {
      const std::vector<std::int64_t> full = {out_channels, conv.window.kernel_h, conv.window.kernel_w, depth}, flat = {out_channels, depth};
      const bool flat_allowed = d.op != "conv2d";
      if (weight->shape != full && !(flat_allowed && weight->shape == flat)) {
        fail(d, d.where(), "tensor `" + weight->name + "` has the shape " + weight->shape_text() + ", but must have " +
                               weight_shape_text(flat_allowed ? flat : full), "E0306");
      } else if (!options_.timing_only) {
        weights.bytes.assign(weight->data, weight->data + weight->bytes);
      }
    } else {
      d.valid = false;
    }
    const bool has_bias = tensors_->find(l.name + ".bias") != nullptr;
    weights.bias = values<std::int32_t>(d, "bias", Dtype::I32, out_channels, false);
    if (has_bias && weights.bias.empty()) d.valid = false;
    if (!explicit_requant(d, out_channels)) {
      if (!tensor(d, "weight_scale", Dtype::F32, true)) {
        d.valid = false;
      } else {
        scales = values<float>(d, "weight_scale", Dtype::F32, out_channels, true);
        if (scales.empty()) d.valid = false;
        for (std::size_t i = 0; i < scales.size(); ++i)
          if (!(scales[i] >= LeastScale && scales[i] <= MostScale)) {
            fail(d, d.where(), "tensor `" + l.name + ".weight_scale`: entry " + std::to_string(i) + " is " + format_number(scales[i]) +
                                   ", but scales must be 1e-12 to 1e+12", "E0307");
            break;
          }
      }
    } else {
      used_.insert(l.name + ".weight_scale");
    }
  }
  if (!d.valid) return;
  if (!scales.empty())
    l.requant = quantization::conv_requant(l.requant.rounding, input.scale, scales, d.output.scale, out_channels, dense);
  check_shifts(d);
  set_clamp(d);
}

// Additions and means in float need other operators than the requantizer has.
void refuse_float(YamlMap& map, Layer& layer, bool& valid, const std::string& op) {
  if (layer.requant.rounding != Rounding::Float) return;
  const YamlValue value = map.find("arithmetic");
  (value.exists() ? value : map.value())
      .complain("layer `" + layer.name + "`: `" + op + "` has no `float` arithmetic", {},
                "give this layer `arithmetic: fixed_double`", "E0213");
  valid = false;
}

void Loader::read_add(Draft& d) {
  Layer& l = d.layer;
  l.attributes = Add{};
  l.requant.rounding = read_rounding(d);
  refuse_float(d.map, l, d.valid, d.op);
  read_activation(d);
  read_output(d);
  if (!d.valid) return;
  const Tensor &a = in(d, 0), &b = in(d, 1);
  if (!(a.shape == b.shape)) {
    fail(d, d.where(), "layer `" + l.name + "`: `" + a.name + "` has the shape " + to_string(a.shape) + " and `" + b.name + "` " +
                           to_string(b.shape) + ", but what is added must have one shape", "E0211");
    return;
  }
  d.output.shape = a.shape;
  if (source_ == Source::Seed) {
    const Statistics &sa = in_statistics(d, 0), &sb = in_statistics(d, 1);
    const Statistics sum{sa.mean + sb.mean, std::hypot(sa.deviation, sb.deviation)};
    d.statistics = synthetic::after_activation(d.activation, sum);
    choose_output(d, synthetic::range_after(d.activation, sum));
  }
  if (!explicit_requant(d, 3)) l.requant = quantization::add_requant(l.requant.rounding, a.scale, b.scale, d.output.scale);
  if (!d.valid) return;
  check_shifts(d);
  set_clamp(d);
}

void Loader::read_pool(Draft& d) {
  Layer& l = d.layer;
  const bool average = d.op == "avg_pool";
  const Nhwc input = l.inputs.empty() ? Nhwc{} : in(d).nhwc();
  const Pair kernel = read_pair(d.map, "kernel", 0), stride = read_pair(d.map, "stride", 1);
  Window& slides = d.window;
  slides.kernel_h = kernel.h, slides.kernel_w = kernel.w;
  slides.stride_h = stride.h, slides.stride_w = stride.w;
  read_padding(d, input, kernel);
  read_activation(d);
  read_inherited_output(d);
  if (!d.valid) return;
  const YamlValue padding = d.map.find("padding");
  if (std::max(slides.pad_top, slides.pad_bottom) >= kernel.h || std::max(slides.pad_left, slides.pad_right) >= kernel.w) {
    fail(d, padding, "layer `" + l.name + "`: the padding is as wide as the kernel, so a window would hold no pixel", "E0211");
    return;
  }
  if (average && std::int64_t{kernel.h} * kernel.w > numerics::MaxTaps) {
    fail(d, d.map.find("kernel"), "layer `" + l.name + "`: an average over " + std::to_string(std::int64_t{kernel.h} * kernel.w) +
                                      " values cannot be computed exactly", "E0214", {},
         "the most is " + std::to_string(numerics::MaxTaps));
    return;
  }
  Nhwc out;
  if (!slide(d, input, kernel, out)) return;
  if (average) l.attributes = AvgPool{slides};
  else l.attributes = MaxPool{slides};
  out.c = input.c;
  d.output.shape = out;
  d.statistics = in_statistics(d);
  const double taps = static_cast<double>(kernel.h) * kernel.w;
  // Neighbours are alike, so a window of k x k counts for about k independent values.
  if (!average) d.statistics.mean += taps > 1 ? 0.6 * d.statistics.deviation : 0.0;
  else d.statistics.deviation /= std::pow(taps, 0.25);
  set_clamp(d);
}

void Loader::read_global_pool(Draft& d) {
  Layer& l = d.layer;
  l.attributes = GlobalAvgPool{};
  l.requant.rounding = read_rounding(d);
  refuse_float(d.map, l, d.valid, d.op);
  read_activation(d);
  read_output(d);
  if (!d.valid) return;
  const Tensor& input = in(d);
  const Nhwc image = input.nhwc();
  const std::int64_t count = std::int64_t{image.h} * image.w;
  d.output.shape = {image.n, 1, 1, image.c};
  if (source_ == Source::Seed) {
    d.statistics = in_statistics(d);
    d.statistics.deviation /= std::pow(static_cast<double>(count), 0.25);
    choose_output(d, synthetic::range_after(d.activation, d.statistics));
    d.statistics = synthetic::after_activation(d.activation, d.statistics);
  }
  if (!explicit_requant(d, 1)) l.requant = quantization::mean_requant(l.requant.rounding, input.scale, d.output.scale, count);
  if (!d.valid) return;
  check_shifts(d);
  set_clamp(d);
}

void Loader::read_table(Draft& d) {
  Layer& l = d.layer;
  Table attributes;
  const auto& names = quantization::table_function_names();
  const YamlValue value = source_ == Source::Seed ? d.map.require("function") : d.map.find("function");
  const auto function = value.exists() ? value.as_choice(names, FunctionSynonyms) : std::nullopt;
  if (value.exists() || source_ == Source::Seed) d.valid = d.valid && function;
  read_output(d);
  if (!d.valid) return;
  const Tensor& input = in(d);
  d.output.shape = input.shape;
  if (source_ == Source::File && !function) {
    const safetensors::View* table = tensor(d, "table", Dtype::U8, true);
    if (!table) {
      d.valid = false;
    } else if (table->shape != std::vector<std::int64_t>{256}) {
      fail(d, d.where(), "tensor `" + table->name + "` has the shape " + table->shape_text() + ", but must have [256]", "E0306");
    } else {
      std::copy(table->data, table->data + 256, attributes.entries.begin());
    }
  } else {
    const auto f = static_cast<quantization::TableFunction>(index_of(names, *function));
    if (source_ == Source::Seed) {
      // Mean, deviation and range of f by a sum over the normal distribution, in steps of a fifth of a deviation.
      const Statistics& s = in_statistics(d);
      double weight = 0, first = 0, second = 0, low = 0, high = 0;
      for (int i = -16; i <= 16; ++i) {
        const double z = i / 5.0, p = std::exp(-0.5 * z * z), y = quantization::evaluate(f, s.mean + z * s.deviation);
        weight += p, first += p * y, second += p * y * y;
        low = std::min(low, y), high = std::max(high, y);
      }
      const double mean = first / weight;
      d.statistics = {mean, std::sqrt(std::max(second / weight - mean * mean, 1e-12))};
      if (!std::isfinite(d.statistics.deviation) || high - low > MostScale) {  // exp of much
        d.statistics = {};
        low = -1.0, high = 1.0;
      }
      choose_output(d, {(low + high) / 2, std::max(high - low, 1e-6) / 6.4});
    }
    attributes.entries = quantization::fill_table(f, input, d.output);
  }
  l.attributes = attributes;
  l.clamp_min = min_value(d.output.type);
  l.clamp_max = max_value(d.output.type);
}

void Loader::read_reshape(Draft& d) {
  Layer& l = d.layer;
  l.attributes = Reshape{};
  const YamlValue value = d.map.require("shape");
  Shape shape;
  if (value.exists()) shape = read_shape(value, d.valid);
  else d.valid = false;
  read_inherited_output(d);
  if (!d.valid) return;
  if (options_.batch > 0) {  // the shape is written for the file's own batch
    const std::int64_t n = shape[0] * options_.batch;
    if (n % file_batch_ != 0 || n / file_batch_ > MostLength) {
      fail(d, value, "layer `" + l.name + "`: the shape cannot be taken to a batch of " + std::to_string(options_.batch), "E0216");
      return;
    }
    shape[0] = n / file_batch_;
  }
  const Shape& input = in(d).shape;
  if (!check_size(value, "the output of layer `" + l.name + "`", shape)) {
    d.valid = false;
    return;
  }
  if (shape.elements() != input.elements()) {
    fail(d, value, "layer `" + l.name + "`: " + to_string(shape) + " has " + std::to_string(shape.elements()) +
                       " elements, but its input " + to_string(input) + " has " + std::to_string(input.elements()), "E0211");
    return;
  }
  d.output.shape = shape;
  d.statistics = in_statistics(d);
  l.clamp_min = min_value(d.output.type);
  l.clamp_max = max_value(d.output.type);
}

void Loader::read_outputs(YamlMap& top) {
  const YamlValue value = top.find("outputs");
  if (value.exists()) {
    for (const YamlValue& item : value.as_list()) {
      const auto name = item.as_text();
      if (!name) continue;
      const auto found = by_name_.find(*name);
      if (found == by_name_.end()) {
        std::vector<std::string> names;
        for (const Tensor& t : net_.tensors) names.push_back(t.name);
        item.complain("there is no tensor `" + *name + "`", did_you_mean(*name, names), {}, "E0210");
      } else if (std::find(net_.outputs.begin(), net_.outputs.end(), found->second) != net_.outputs.end()) {
        item.complain("`" + *name + "` is listed twice");
      } else {
        net_.outputs.push_back(found->second);
      }
    }
    if (value.is_list() && value.as_list().empty()) value.complain("`outputs` is empty: leave it out, or name a tensor");
    return;
  }
  std::vector<bool> read(net_.tensors.size(), false);
  for (const Layer& l : net_.layers)
    for (const int i : l.inputs) read[i] = true;
  for (const Layer& l : net_.layers)
    if (l.output >= 0 && !read[l.output]) net_.outputs.push_back(l.output);
}

// A tensor that nobody asked for is a misspelled one (an optional bias would be missed without a word otherwise).
void Loader::find_unused_tensors() {
  if (!tensors_ || !reader_.clean()) return;  // after other errors this would only repeat them
  std::vector<std::string> expected(used_.begin(), used_.end());
  for (const auto& t : tensors_->tensors()) {
    if (used_.count(t.name) || t.name.rfind("test.", 0) == 0) continue;
    Diagnostic d;
    d.code = "E0308";
    d.file = net_.tensors_file;
    d.message = "tensor `" + t.name + "` belongs to no layer of " + net_.file;
    d.note = did_you_mean(t.name, expected);
    reader_.add(std::move(d));
  }
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

Network load_workload(const std::string& name_or_path, const LoadOptions& options) {
  const std::string path = find_workload(name_or_path);
  if (ends_with(path, ".csv")) return scalesim::load_table(path, options);
  return Loader(YamlReader::from_file(path, WorkloadYamlCodes, options.interrupted), path, options).load();
}

Network load_workload_text(const std::string& yaml, const std::string& file, const LoadOptions& options) {
  return Loader(YamlReader::from_text(yaml, file, WorkloadYamlCodes, options.interrupted), file, options).load();
}

std::string find_workload(const std::string& name) {
  if (name.find('/') != std::string::npos || ends_with(name, ".yaml") || ends_with(name, ".yml") || ends_with(name, ".csv"))
    return name;
  const std::string path = name.empty() ? std::string() : find_named("workloads", name, ".yaml");
  if (!path.empty()) return path;
  const auto names = list_named("workloads", ".yaml");
  Diagnostic d;
  d.code = "E0208";
  d.message = "there is no workload `" + name + "`";
  d.note = did_you_mean(name, names);
  d.hint = names.empty() ? "no workloads were found at all; set GEMEL_HOME to the folder that has `workloads`"
                         : "`gemel workloads` lists them; a file of your own is given as a path, such as ./mine.yaml";
  throw UserError(std::vector<Diagnostic>{std::move(d)});
}

std::vector<WorkloadInfo> list_workloads() {
  std::vector<WorkloadInfo> list;
  for (const std::string& name : list_named("workloads", ".yaml")) {
    WorkloadInfo info{name, find_named("workloads", name, ".yaml"), {}};
    YamlMap top = YamlReader::from_file(info.path, WorkloadYamlCodes).root().map();
    info.description = top.find("description").scalar();
    list.push_back(std::move(info));
  }
  return list;
}

std::optional<TestSet> load_test_set(const Network& network) {
  if (network.tensors_file.empty()) return std::nullopt;
  const auto file = safetensors::File::open(network.tensors_file);
  const safetensors::View* images = file.find("test.images");
  if (!images) return std::nullopt;
  const Tensor& input = network.tensors[network.inputs.at(0)];
  const auto fail = [&](const char* code, const std::string& message) {
    Diagnostic d;
    d.code = code;
    d.file = network.tensors_file;
    d.message = message;
    throw UserError(std::vector<Diagnostic>{std::move(d)});
  };
  file.require("test.images", input.type == ElementType::Int8 ? Dtype::I8 : Dtype::U8);
  const auto& s = images->shape;
  const Nhwc image = input.nhwc();
  if (s.size() != 4 || s[0] < 1 || s[0] > MostLength || s[1] != image.h || s[2] != image.w || s[3] != image.c)
    fail("E0306", "tensor `test.images` has the shape " + images->shape_text() + ", but must have [count, " +
                      std::to_string(image.h) + ", " + std::to_string(image.w) + ", " + std::to_string(image.c) + "]");
  TestSet set;
  set.shape = input.shape;
  set.shape[0] = s[0];
  set.images.assign(images->data, images->data + images->bytes);
  set.labels = file.read<std::int32_t>("test.labels");
  if (set.labels.size() != static_cast<std::size_t>(s[0]))
    fail("E0306", "tensor `test.labels` has " + std::to_string(set.labels.size()) + " entries for " + std::to_string(s[0]) + " images");
  if (file.find("test.float_accuracy")) {
    const auto accuracy = file.read<float>("test.float_accuracy");
    if (accuracy.size() != 1 || !(accuracy[0] >= 0.0f && accuracy[0] <= 1.0f))
      fail("E0307", "tensor `test.float_accuracy` must be one number from 0 to 1");
    set.float_accuracy = accuracy[0];
  }
  return set;
}

}  // namespace gemel
