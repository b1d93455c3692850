/* Rewrite the entropy-coded data of a sequential Huffman scan, covered units replaced.
 *
 * Knows bits, codes and DC levels; no markers but RSTn, no frame header, no Python. The twin of
 * jpeg_walk.py, byte for byte. ITU-T T.81 annexes C and F. */

#ifndef CINESCRUB_JPEG_SCAN_H
#define CINESCRUB_JPEG_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum {
    JPEG_MAX_COMPONENTS = 4,
    JPEG_MAX_BLOCKS = 10, /* in an MCU: T.81 B.2.3 */
};

typedef enum {
    JPEG_OK,
    JPEG_MISSING,   /* a table lacks a code that the fill needs: see `needs` */
    JPEG_ENTROPY,   /* corrupt or truncated */
    JPEG_INTERVALS, /* restart intervals are missing, or too many */
    JPEG_ORDER,     /* restart markers out of order */
    JPEG_RANGE,     /* DC levels that no 8-bit picture has */
    JPEG_ARGUMENT,  /* the caller's mistake */
    JPEG_MEMORY,
} jpeg_status;

/* A Huffman table as DHT stores it. Borrowed. */
typedef struct {
    const uint8_t *counts;  /* 16: codes of length 1 .. 16 */
    const uint8_t *symbols; /* in order of their codes */
    size_t size;            /* number of symbols */
} jpeg_table;

typedef struct {
    jpeg_table dc, ac;
    int blocks;    /* in a unit of the scan */
    int64_t level; /* DC level of a covered block */
} jpeg_component;

typedef struct {
    const uint8_t *data; /* of the scan, from behind its header to its end; borrowed */
    size_t size;
    const uint8_t *covered; /* one byte a unit: not 0 where it is replaced; borrowed */
    size_t units;
    size_t restart; /* units in a restart interval; 0: one interval */
    int mean;       /* fill with the mean DC level of the blocks that stay, not with `level` */
    int count;      /* components */
    jpeg_component component[JPEG_MAX_COMPONENTS];
} jpeg_scan;

typedef struct {
    uint8_t *data; /* owned by the caller: free() it; NULL unless JPEG_OK */
    size_t size;
    uint32_t needs[JPEG_MAX_COMPONENTS]; /* bit n: the fill needs DC category n */
} jpeg_result;

jpeg_status jpeg_rewrite(const jpeg_scan *scan, jpeg_result *result);

#endif
