/* session_state.h - what a session holds, as bytes that a session of the same kind goes on from:
 * its tokens, their rows of the KV cache, and what recurrent layers have after them.
 *
 * All numbers little-endian:
 *   8 bytes   "LORYKV" 0 and the version, 1
 *   u64       owner: the fingerprint of model and adapters
 *   u32 [9]   storage type, layers, KV heads, head_dim, n tokens, whether heads rotate as in long
 *             texts, tokens of the prefix, position of its mask, bytes of the recurrent layers'
 *             state
 *   i32 [n]   the tokens
 *   rows      for each layer, each KV head, each stretch of KV_CHUNK tokens (the last may be
 *             shorter): the keys, then the values if the cache keeps them apart, as it stores them;
 *             of a layer with a window only the stretches that token n sees
 *   f32 [..]  the recurrent layers' state after the tokens; none after no token
 *   u64       XXH64 of all bytes before
 * Layer: engine. */
#ifndef LORY_ENGINE_SESSION_STATE_H
#define LORY_ENGINE_SESSION_STATE_H

#include "engine/session.h"

/* Bytes of the state of the first n tokens; 0 when the session does not hold all of it. */
size_t session_state_bytes(const session *s, size_t n);
/* Hands them on in pieces; LORY_E_INTERRUPTED when `put` returns false; LORY_E_ARGUMENT when the
 * session does not hold so many tokens, has lost what comes before their end in a window, or they
 * end within a prefix that is read at once. */
bool session_state_write(const session *s, size_t n, uint64_t owner, lory_on_bytes put, void *user,
                         lory_err *err);
/* Makes the session hold what the bytes say; without logits. LORY_E_FORMAT: they are no state, or
 * not whole; LORY_E_UNSUPPORTED: another version; LORY_E_ARGUMENT: of another model or type of
 * cache; LORY_E_FULL. On failure the session is as it was. */
bool session_state_read(session *s, const void *bytes, size_t n_bytes, uint64_t owner,
                        lory_err *err);

#endif
