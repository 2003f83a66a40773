// SPDX-License-Identifier: Apache-2.0
// AXI ports of an adapter: the read and the write master's wires on the ports of those names.
#pragma once
#include "base/wires.hpp"
#include "rtl_host/block.hpp"

namespace gemel {

// RRESP or BRESP.
inline std::uint64_t response_bits(bool error, bool outside) {
  constexpr std::uint64_t Okay = 0, SlaveError = 2, DecodeError = 3;
  return !error ? Okay : outside ? DecodeError : SlaveError;
}

// Bytes that memory moves for a burst. AXI carries a count of beats, not of bytes. If it disagrees with the sideband `bytes`, the count
// of beats decides, as it would in a real memory.
inline std::uint32_t bytes_on_axi(const RtlBits<8>& length, std::uint64_t address, std::uint32_t bytes, int bus_bits) {
  const auto bus = static_cast<std::uint64_t>(bus_bits / 8);
  const std::uint64_t beats = get_bits(length) + 1;
  return (address + bytes - 1) / bus - address / bus + 1 == beats ? bytes : static_cast<std::uint32_t>(beats * bus);
}

struct AxiReadPorts {
  RtlBits<1> arvalid, arready, rvalid, rlast;
  RtlBits<40> araddr;
  RtlBits<8> arlen;
  RtlBits<13> ar_bytes;
  RtlBits<2> rresp;
  RtlPort rdata;

  // `bytes`: the port with the number of bytes that count.
  AxiReadPorts(RtlModel& m, const std::string& prefix = "", const std::string& bytes = "ar_bytes_o")
      : arvalid(m.port(prefix + "arvalid_o")), arready(m.port(prefix + "arready_i")), rvalid(m.port(prefix + "rvalid_i")),
        rlast(m.port(prefix + "rlast_i")), araddr(m.port(prefix + "araddr_o")), arlen(m.port(prefix + "arlen_o")),
        ar_bytes(m.port(prefix + bytes)), rresp(m.port(prefix + "rresp_i")), rdata(m.port(prefix + "rdata_i")) {}

  bool drive(const ReadResponseWires& in) const {  // whether anything changed
    bool changed = set_bits(arready, in.request_ready);
    changed |= set_bits(rvalid, in.valid);
    if (!in.valid) return changed;
    changed |= set_bytes(rdata, in.data);
    changed |= set_bits(rresp, response_bits(in.error, in.outside));
    changed |= set_bits(rlast, in.last);
    return changed;
  }
  ReadRequestWires sample() const {
    ReadRequestWires out;
    out.valid = get_bits(arvalid) != 0;
    out.address = get_bits(araddr);
    out.bytes = static_cast<std::uint32_t>(get_bits(ar_bytes));
    if (out.valid) out.bytes = bytes_on_axi(arlen, out.address, out.bytes, rdata.width);
    return out;
  }
};

struct AxiWritePorts {
  RtlBits<1> awvalid, awready, wvalid, wready, wlast, bvalid;
  RtlBits<40> awaddr;
  RtlBits<8> awlen;
  RtlBits<13> aw_bytes;
  RtlBits<2> bresp;
  RtlPort wdata, wstrb;
  std::vector<std::uint8_t> beat[2];

  AxiWritePorts(RtlModel& m, const std::string& prefix = "", const std::string& bytes = "aw_bytes_o")
      : awvalid(m.port(prefix + "awvalid_o")), awready(m.port(prefix + "awready_i")), wvalid(m.port(prefix + "wvalid_o")), wready(m.port(prefix + "wready_i")),
        wlast(m.port(prefix + "wlast_o")), bvalid(m.port(prefix + "bvalid_i")), awaddr(m.port(prefix + "awaddr_o")),
        awlen(m.port(prefix + "awlen_o")), aw_bytes(m.port(prefix + bytes)), bresp(m.port(prefix + "bresp_i")),
        wdata(m.port(prefix + "wdata_o")), wstrb(m.port(prefix + "wstrb_o")) {
    for (auto& b : beat) b.resize(static_cast<std::size_t>(wdata.width / 8));
  }

  bool drive(const WriteResponseWires& in) const {  // whether anything changed
    bool changed = set_bits(awready, in.request_ready);
    changed |= set_bits(wready, in.data_ready);
    changed |= set_bits(bvalid, in.valid);
    changed |= set_bits(bresp, response_bits(in.valid && in.error, in.outside));
    return changed;
  }
  WriteRequestWires sample(int flip) {
    WriteRequestWires out;
    out.valid = get_bits(awvalid) != 0;
    out.address = get_bits(awaddr);
    out.bytes = static_cast<std::uint32_t>(get_bits(aw_bytes));
    if (out.valid) out.bytes = bytes_on_axi(awlen, out.address, out.bytes, wdata.width);
    out.data_valid = get_bits(wvalid) != 0;
    if (!out.data_valid) return out;
    out.data_last = get_bits(wlast) != 0;
    int first = 0, end = 0, selected = 0;
    for (int i = 0; i < (wstrb.width + 7) / 8; ++i) {
      const unsigned byte = wstrb.bytes[i];
      if (byte == 0) continue;
      if (end == 0) first = 8 * i + __builtin_ctz(byte);
      end = 8 * i + 32 - __builtin_clz(byte);
      selected += __builtin_popcount(byte);
    }
    if (selected != end - first) end = first;  // a strobe with a hole; no byte at all is as wrong
    out.strobe_first = static_cast<std::uint8_t>(first);
    out.strobe_end = static_cast<std::uint8_t>(end);
    get_bytes(wdata, beat[flip].data());
    out.data = beat[flip].data();
    return out;
  }
};

inline void compare_requests(const char* valid, const char* address, const char* bytes, const ReadRequestWires& e, const ReadRequestWires& a, Comparison& c) {
  c.value(valid, e.valid, a.valid);
  if (!e.valid || !a.valid) return;
  c.value(address, e.address, a.address);
  c.value(bytes, e.bytes, a.bytes);
}

}  // namespace gemel
