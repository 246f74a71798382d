/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The device header: the part of a release that a microcontroller can read, and that the device
 * signature covers. At most 320 bytes; layout in rekindle-link(7).
 */

#include "proto/message.h"

#define RKD_HEADER_MAX      320u
#define RKD_HARDWARE_MAX    16u
#define RKD_SIGNATURE_BYTES 64u

typedef enum RkdAlgorithm {
        RKD_ALGORITHM_NONE = 0,
        RKD_ALGORITHM_ED25519 = 1,
        RKD_ALGORITHM_ECDSA_P256 = 2, /* over SHA-256, r and s, 32 bytes each */
        _RKD_ALGORITHM_MAX,
} RkdAlgorithm;

typedef struct RkdHeader {
        uint8_t algorithm;
        uint32_t length; /* bytes of the image, not 0 */
        uint8_t sha256[RKD_SHA256_BYTES];
        RkdText model, version, floor; /* 1..63 characters; floor may be empty */
        uint8_t n_hardware;            /* 0: any hardware revision */
        RkdText hardware[RKD_HARDWARE_MAX];
} RkdHeader;

/* Returns the bytes written; 0 when it does not fit (never beyond RKD_HEADER_MAX) or a member is
 * out of range. */
size_t rkd_header_encode(const RkdHeader *header, uint8_t *out, size_t room);
/* Strict; 0 or RKD_E_MALFORMED. The texts point into `data`. */
int rkd_header_decode(RkdHeader *ret, const uint8_t *data, size_t n);
/* A header without a list fits every revision. */
bool rkd_header_fits_hardware(const RkdHeader *header, RkdText hardware);
/* Whether a signature of this length goes with the algorithm: 0 with none, 64 with the others. */
bool rkd_header_takes_signature(const RkdHeader *header, size_t n_signature);
