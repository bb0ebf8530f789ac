#!/usr/bin/env python3
"""make_parrot.py FILE - writes tests/vectors/parrot.gguf: a LLaMA of one block whose attention and
feed-forward give zero, so that each token decides the next one alone. What it says is the chains
below; a prompt that ends with "A>" is answered with two tool calls, one with "R>" with a text."""
import struct
import sys

NORMAL, UNKNOWN, CONTROL = 1, 2, 3
CALL = '{"name":\u2581"add",\u2581"arguments":\u2581{"a":\u25811,\u2581"b":\u25812}}'
CALL_2 = '<tool_call>{"name":\u2581"where",\u2581"arguments":\u2581{}}</tool_call>'
TOKENS = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL), ("A>", CONTROL), ("R>", CONTROL),
          ("<tool_call>", CONTROL), ("</tool_call>", CONTROL), ("\u2581I\u2581look.", NORMAL),
          (CALL, NORMAL), (CALL_2, NORMAL), ("\u2581It\u2581is", NORMAL), ("\u2581done.", NORMAL)]
CHAINS = [["A>", "\u2581I\u2581look.", "<tool_call>", CALL, "</tool_call>", CALL_2, "</s>"],
          ["R>", "\u2581It\u2581is", "\u2581done.", "</s>"]]
N = 32  # n_embd, n_ff and the width of the only head

keys, infos, data = [], [], b""


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def put(key, kind, value):
    keys.append(text(key) + struct.pack("<I", kind) + value)


def put_u32(key, value):
    put(key, 4, struct.pack("<I", value))


def put_list(key, kind, values):
    put(key, 9, struct.pack("<IQ", kind, len(values)) + b"".join(values))


def add(name, rows):
    """rows: lists of floats, all of one length; one row is a vector."""
    global data
    ne = [len(rows[0])] + ([len(rows)] if len(rows) > 1 else [])
    kind = 1 if len(ne) == 2 else 0
    infos.append(text(name) + struct.pack("<I", len(ne)) + struct.pack("<%dQ" % len(ne), *ne)
                 + struct.pack("<IQ", kind, len(data)))
    for row in rows:
        data += struct.pack("<%d%s" % (len(row), "e" if kind else "f"), *row)
    data += bytes(-len(data) % 32)


def main(path):
    ids = {s: i for i, (s, _) in enumerate(TOKENS)}
    put("general.architecture", 8, text("llama"))
    put("general.name", 8, text("parrot"))
    for key, value in [("context_length", 2048), ("embedding_length", N), ("block_count", 1),
                       ("feed_forward_length", N), ("attention.head_count", 1)]:
        put_u32("llama." + key, value)
    put("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5))
    put("tokenizer.ggml.model", 8, text("llama"))
    put_list("tokenizer.ggml.tokens", 8, [text(s) for s, _ in TOKENS])
    put_list("tokenizer.ggml.scores", 6, [struct.pack("<f", 0)] * len(TOKENS))
    put_list("tokenizer.ggml.token_type", 5, [struct.pack("<i", t) for _, t in TOKENS])
    for name in ["unknown", "bos", "eos"]:
        put_u32("tokenizer.ggml.%s_token_id" % name, ["unknown", "bos", "eos"].index(name))
    identity = [[float(i == j) for j in range(N)] for i in range(len(TOKENS))]
    zeros, ones = [[0.0] * N] * N, [[1.0] * N]
    output = [[0.0] * N for _ in TOKENS]
    for chain in CHAINS:
        for token, follower in zip(chain, chain[1:]):
            output[ids[follower]][ids[token]] = 8.0
    add("token_embd.weight", identity)
    for name in ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]:
        add("blk.0.%s.weight" % name, zeros)
    add("blk.0.attn_norm.weight", ones)
    add("blk.0.ffn_norm.weight", ones)
    add("output_norm.weight", ones)
    add("output.weight", output)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(keys)) + b"".join(keys + infos)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % 32) + data)


main(sys.argv[1])
