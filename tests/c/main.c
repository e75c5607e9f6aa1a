/* Tests of the C reader on the host:
 *     check_golden TABLE.srp READINGS NATS KIND
 * compares the scores of a golden table with its files; KIND is shuttle, views, reals or stream.
 *     check_golden TABLE.srp READINGS PACKETS packets-KIND
 * compares the rows of packets with those of the file; some lack a reading.
 *     check_golden TABLE.srp READINGS NATS refusals
 * checks that damaged bytes and wrong calls are refused, and that bytes with a damage that the checksum does not show are
 * refused or scored without harm. */
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>

uint32_t link_checksums_differ(void);

static unsigned failures = 0u;

#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            ++failures;                                                                                               \
            (void)fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                          \
        }                                                                                                             \
    } while (0)

typedef struct {
    uint8_t *bytes; /* at a multiple of four */
    size_t length;
} file_t;

static file_t read_file(const char *path) {
    file_t file = {NULL, 0u};
    FILE *stream = fopen(path, "rb");
    long length;
    if ((stream == NULL) || (fseek(stream, 0, SEEK_END) != 0)) {
        (void)fprintf(stderr, "cannot read %s: run `make check` in tests/c\n", path);
        exit(2);
    }
    length = ftell(stream);
    rewind(stream);
    file.bytes = malloc((size_t)length + 8u);
    if (file.bytes != NULL) {
        file.length = fread(file.bytes, 1u, (size_t)length, stream);
    }
    (void)fclose(stream);
    return file;
}

/* CRC-32, bit by bit. */
static uint32_t crc32(const uint8_t *bytes, size_t length) {
    uint32_t crc = UINT32_MAX;
    size_t at;
    for (at = 0u; at < length; ++at) {
        unsigned bit;
        crc ^= (uint32_t)bytes[at];
        for (bit = 0u; bit < 8u; ++bit) {
            crc = (crc >> 1) ^ (((crc & 1u) != 0u) ? 0xEDB88320u : 0u);
        }
    }
    return crc ^ UINT32_MAX;
}

static uint32_t digest_extremes(const surprisal_table *table, golden_kind kind, const file_t *readings, uint32_t rows);

/* Shares add up, a missing reading is left out, blame restores the row, and the monitor counts. */
static void check_operations(const surprisal_table *table, golden_kind kind, const file_t *readings) {
    surprisal_reading row[SURPRISAL_MAX_COLUMNS];
    surprisal_reading before[SURPRISAL_MAX_COLUMNS];
    surprisal_monitor monitor;
    uint64_t sums[5] = {0u, 0u, 0u, 0u, 0u};
    uint32_t votes = 0u;
    uint32_t digest;
    size_t at;
    surprisal_monitor_init(&monitor);
    monitor.votes = 3u;
    monitor.of = 5u;
    monitor.hold_off = 4u;
    (void)memset(row, 0, sizeof row);
    for (at = 0u; golden_row(table, kind, readings->bytes, readings->length, at, row); ++at) {
        uint32_t shares[SURPRISAL_MAX_COLUMNS];
        uint32_t nats = 0u;
        uint32_t sum = 0u;
        surprisal_score score;
        surprisal_report report;
        size_t i;
        size_t k;
        CHECK(surprisal_score_row(table, row, table->readings, &score) == SURPRISAL_OK);
        CHECK(surprisal_explain(table, row, table->readings, shares, &nats) == SURPRISAL_OK);
        for (i = 0u; i < table->readings; ++i) {
            sum += shares[i];
        }
        CHECK((sum == nats) && (nats == score.nats));
        report = surprisal_monitor_push(&monitor, table, &score);
        CHECK(report.is_anomalous == surprisal_is_anomalous(table, score.anomaly));
        CHECK(report.p_ppm <= 1000000u);
        votes += report.alarm ? 1u : 0u;
        sums[0] += report.p_ppm;
        sums[1] += report.trend ? at : 0u;
        if ((at % 16u) == 0u) {
            surprisal_blamed blamed;
            (void)memcpy(before, row, sizeof row);
            CHECK(surprisal_blame(table, row, table->readings, &blamed) == SURPRISAL_OK);
            CHECK(memcmp(before, row, sizeof row) == 0);
            CHECK((blamed.before == score.anomaly) && (blamed.column < table->readings));
            sums[2] += (uint64_t)blamed.anomaly + blamed.column + (uint32_t)blamed.expected.value.integer +
                       (blamed.has_runner_up ? ((uint64_t)blamed.runner_up_anomaly + blamed.runner_up) : 0u) +
                       (surprisal_is_ambiguous(&blamed) ? 1u : 0u);
            for (i = 0u; i < table->readings; ++i) {
                const surprisal_reading own = row[i];
                row[i] = surprisal_missing();
                CHECK(surprisal_score_row(table, row, table->readings, &score) == SURPRISAL_OK);
                CHECK(score.missing <= 1u);
                sums[3] += score.anomaly;
                CHECK(surprisal_explain(table, row, table->readings, shares, NULL) == SURPRISAL_OK);
                for (k = 0u; k < table->readings; ++k) {
                    sums[4] = (sums[4] * 31u) + ((uint64_t)shares[k] ^ k);
                }
                row[i] = own;
            }
        }
    }
    digest = digest_extremes(table, kind, readings, (uint32_t)at);
    for (at = 0u; at < table->readings; ++at) {
        row[at] = surprisal_missing();
    }
    if (table->readings == 9u) {
        surprisal_score score;
        CHECK(surprisal_score_row(table, row, table->readings, &score) == SURPRISAL_OK);
        CHECK((score.nats == SURPRISAL_IMPOSSIBLE) && (score.anomaly == SURPRISAL_IMPOSSIBLE) && (score.missing == 9u));
    }
    (void)printf("blame %llu, missing %llu, shares %llu, extremes %u\np-values %llu, trends %llu, alarms %u\n",
                 (unsigned long long)sums[2], (unsigned long long)sums[3], (unsigned long long)sums[4], digest,
                 (unsigned long long)sums[0], (unsigned long long)sums[1], votes);
}

static uint32_t next_random(uint32_t *seed) {
    *seed = (*seed * 1664525u) + 1013904223u;
    return *seed >> 8;
}

/* A digest of the scores of 20,000 rows of the file, in each of which about half of the readings are replaced: by a missing
 * one, by any integer, by any real number, or by one of twice or half the size. */
static uint32_t digest_extremes(const surprisal_table *table, golden_kind kind, const file_t *readings, uint32_t rows) {
    surprisal_reading row[SURPRISAL_MAX_COLUMNS];
    uint32_t digest = 0x811C9DC5u;
    uint32_t seed = 7u;
    uint32_t at;
    for (at = 0u; at < 20000u; ++at) {
        uint32_t words[8] = {0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u};
        surprisal_score score;
        size_t i;
        (void)golden_row(table, kind, readings->bytes, readings->length, at % rows, row);
        for (i = 0u; i < table->readings; ++i) {
            const uint32_t choice = next_random(&seed) >> 4;
            const uint32_t value = next_random(&seed) ^ (next_random(&seed) << 12);
            switch (choice % 32u) {
            case 0:
                row[i] = surprisal_missing();
                break;
            case 1:
                row[i].value.integer = (int32_t)value;
                break;
            case 2:
                row[i].type = (uint8_t)(((choice >> 5) % 64u == 0u) ? SURPRISAL_REAL : row[i].type);
                row[i].value.real_bits = value >> ((choice >> 11) & 31u);
                break;
            case 3:
            case 4:
            case 5:
                row[i].value.integer = (int32_t)(row[i].value.real_bits + (value & 15u));
                break;
            case 6:
                row[i].value.real_bits ^= 0x80000000u;
                break;
            case 7:
                row[i].value.real_bits ^= value & 0x3F8000u;
                break;
            default:
                break;
            }
        }
        if (surprisal_score_row(table, row, table->readings, &score) == SURPRISAL_OK) {
            words[0] = score.nats;
            words[1] = score.anomaly;
            words[2] = score.largest;
            words[3] = score.column;
            words[4] = score.missing;
            if ((at % 64u) == 0u) {
                surprisal_blamed blamed;
                (void)surprisal_blame(table, row, table->readings, &blamed);
                words[5] = blamed.anomaly;
                words[6] = blamed.column;
                words[7] = blamed.expected.value.real_bits;
            }
        }
        for (i = 0u; i < 8u; ++i) {
            digest = (digest ^ words[i]) * 0x01000193u;
        }
    }
    return digest;
}

static uint32_t crc16(const uint8_t *bytes, size_t length) {
    uint32_t crc = 0xFFFFu;
    size_t i;
    for (i = 0u; i < (8u * length); ++i) {
        const uint32_t bit = ((uint32_t)bytes[i / 8u] >> (7u - (i % 8u))) & 1u;
        crc = ((crc << 1) & 0xFFFFu) ^ ((((crc >> 15) ^ bit) != 0u) ? 0x1021u : 0u);
    }
    return crc;
}

/* Decodes packets of any payload, whose check is right. The first rows of the payload of zeros have readings that do not fit. */
static void use_packets(const surprisal_table *table) {
    uint8_t bytes[64] = {60u, 9u};
    surprisal_packet packet;
    uint32_t seed = 7u;
    unsigned which;
    size_t i;
    for (which = 0u; which < 3u; ++which) {
        const uint16_t tag = surprisal_packet_tag(table, NULL, 0u);
        uint32_t check;
        for (i = 2u; i < 62u; ++i) {
            seed = (seed * 1664525u) + 1013904223u;
            bytes[i] = (which == 0u) ? 0u : ((which == 1u) && (i < 6u)) ? 0u : (uint8_t)(seed >> 24);
        }
        check = crc16(bytes, 62u) ^ tag;
        bytes[62] = (uint8_t)(check >> 8);
        bytes[63] = (uint8_t)(check & 0xFFu);
        CHECK(surprisal_packet_open(&packet, bytes, sizeof bytes, tag) == sizeof bytes);
        while (packet.rows > 0u) {
            /* Of the exact length, so that the address sanitizer sees a reading that is written behind it. */
            surprisal_reading *row = malloc(((table->readings > 0u) ? table->readings : 1u) * sizeof *row);
            const surprisal_status status = surprisal_packet_next(&packet, table, NULL, 0u, row, table->readings);
            free(row);
            if (status != SURPRISAL_OK) {
                break;
            }
        }
    }
}

/* Opens bytes whose checksum is made right, and uses the table if it is accepted. */
static bool use_damaged(uint8_t *bytes, size_t length) {
    surprisal_table table;
    surprisal_reading row[SURPRISAL_MAX_COLUMNS];
    surprisal_reading again[SURPRISAL_MAX_COLUMNS];
    const uint32_t crc = crc32(&bytes[16], length - 16u);
    surprisal_score score;
    surprisal_blamed blamed;
    uint32_t shares[SURPRISAL_MAX_COLUMNS];
    size_t i;
    (void)memcpy(&bytes[12], &crc, 4u);
    if (surprisal_open(&table, bytes, length, SURPRISAL_ANY) != SURPRISAL_OK) {
        return false;
    }
    for (i = 0u; i < table.readings; ++i) {
        row[i] = surprisal_integer((int32_t)(i * 37u) - 100);
        again[i] = ((i % 3u) == 0u) ? surprisal_missing()
                                    : (((i % 3u) == 1u) ? surprisal_real(1e30f) : surprisal_integer(INT32_MIN));
    }
    (void)surprisal_score_row(&table, row, table.readings, &score);
    (void)surprisal_explain(&table, row, table.readings, shares, NULL);
    (void)surprisal_blame(&table, row, table.readings, &blamed);
    for (i = 0u; i < table.readings; ++i) {
        row[i] = surprisal_real(-3.25f * (float)(int)i);
    }
    (void)surprisal_score_row(&table, row, table.readings, &score);
    (void)surprisal_score_row(&table, again, table.readings, &score);
    (void)surprisal_self_test(&table);
    use_packets(&table);
    if ((table.window != 0u) && (((size_t)table.window * table.channels) <= 4096u)) {
        static int32_t ring[4096];
        surprisal_stream stream;
        bool ready = false;
        CHECK(surprisal_stream_init(&stream, &table, ring, 4096u) == SURPRISAL_OK);
        if (((size_t)table.channels + table.states) <= SURPRISAL_MAX_COLUMNS) {
            for (i = 0u; i < 20u; ++i) {
                (void)memset(row, 0, sizeof row);
                row[0] = surprisal_integer((int32_t)(i << 27));
                (void)surprisal_stream_push(&stream, &table, row, (size_t)table.channels + table.states, &ready);
            }
        }
    }
    return true;
}

static void check_refusals(file_t *file, const surprisal_reading *row) {
    static surprisal_table table;
    uint8_t *copy = malloc(file->length + 8u);
    surprisal_score score;
    uint32_t shares[SURPRISAL_MAX_COLUMNS];
    size_t length;
    size_t at;
    unsigned accepted = 0u;
    unsigned tried = 0u;
    uint32_t seed = 1u;
    uint32_t length_of_table;
    CHECK(surprisal_open(&table, file->bytes, file->length, SURPRISAL_ANY) == SURPRISAL_OK);
    CHECK(surprisal_open(&table, file->bytes, file->length, 0x12345u) == SURPRISAL_ERROR_FINGERPRINT);
    (void)memcpy(&length_of_table, &file->bytes[16], 4u);
    CHECK(surprisal_open(&table, file->bytes, file->length, length_of_table) == SURPRISAL_OK);
    CHECK(surprisal_score_row(&table, row, (size_t)table.readings - 1u, &score) == SURPRISAL_ERROR_COUNT);
    CHECK(surprisal_score_row(&table, row, (size_t)table.readings + 1u, &score) == SURPRISAL_ERROR_COUNT);
    CHECK(surprisal_explain(&table, row, (size_t)table.readings + 1u, shares, NULL) == SURPRISAL_ERROR_COUNT);
    (void)memcpy(&length_of_table, &file->bytes[8], 4u);
    for (at = 1u; at < 4u; ++at) {
        (void)memcpy(&copy[at], file->bytes, file->length);
        CHECK(surprisal_open(&table, &copy[at], file->length, SURPRISAL_ANY) == SURPRISAL_ERROR_MISALIGNED);
    }
    /* A copy of the exact length, so that the address sanitizer sees every byte that is read behind it. */
    for (length = 0u; length < length_of_table; ++length) {
        uint8_t *cut = malloc((length > 0u) ? length : 1u);
        (void)memcpy(cut, file->bytes, length);
        CHECK(surprisal_open(&table, cut, length, SURPRISAL_ANY) == SURPRISAL_ERROR_TRUNCATED);
        free(cut);
    }
    (void)memcpy(copy, file->bytes, file->length);
    for (at = 0u; at < length_of_table; ++at) {
        unsigned bit;
        for (bit = 0u; bit < 8u; ++bit) {
            copy[at] = (uint8_t)(copy[at] ^ (1u << bit));
            CHECK(surprisal_open(&table, copy, file->length, SURPRISAL_ANY) != SURPRISAL_OK);
            copy[at] = (uint8_t)(copy[at] ^ (1u << bit));
        }
    }
    /* Damage that the checksum does not show: each byte in turn, then a few at random. */
    for (at = 16u; at < (length_of_table + 20000u); ++at) {
        uint8_t *own = malloc(length_of_table);
        unsigned many;
        (void)memcpy(own, file->bytes, length_of_table);
        for (many = 0u; many < ((at < length_of_table) ? 1u : 3u); ++many) {
            size_t where;
            seed = (seed * 1664525u) + 1013904223u;
            where = (at < length_of_table) ? at : (16u + ((seed >> 8) % (length_of_table - 16u)));
            seed = (seed * 1664525u) + 1013904223u;
            own[where] = (uint8_t)(own[where] ^ (uint8_t)(1u << (seed >> 29)));
        }
        accepted += use_damaged(own, length_of_table) ? 1u : 0u;
        ++tried;
        free(own);
    }
    /* Extreme positions, counts and values in each pair of bytes. */
    for (at = 16u; (at + 1u) < length_of_table; at += 2u) {
        static const uint16_t SET[6] = {0xFFFFu, 0x7FFFu, 0x0FFFu, 0x8000u, 0x00FFu, 0xFF00u};
        unsigned of;
        for (of = 0u; of < 7u; ++of) {
            uint8_t *own = malloc(length_of_table);
            uint16_t pair = 0u;
            (void)memcpy(own, file->bytes, length_of_table);
            if (of < 6u) {
                (void)memcpy(&pair, &own[at], 2u);
                pair = (uint16_t)(pair | SET[of]);
            }
            (void)memcpy(&own[at], &pair, 2u);
            accepted += use_damaged(own, length_of_table) ? 1u : 0u;
            ++tried;
            free(own);
        }
    }
    (void)printf("damage behind the checksum: accepted %u of %u, without harm\n", accepted, tried);
    free(copy);
}

static surprisal_reading rounded_to_hundredths(const surprisal_reading *reading) {
    float value;
    double scaled;
    int32_t steps;
    (void)memcpy(&value, &reading->value.real_bits, sizeof value);
    scaled = ((double)value * 100.0) + 0.5;
    steps = (int32_t)scaled;
    steps -= ((double)steps > scaled) ? 1 : 0;
    return surprisal_real((float)((double)steps / 100.0));
}

/* With `in_hundredths`, the readings are rounded to hundredths, and the packets hold them as such. */
static void check_packets(const surprisal_table *table, golden_kind kind, bool in_hundredths, const file_t *readings,
                          const file_t *packets) {
    uint8_t hundredths[SURPRISAL_MAX_COLUMNS];
    const size_t decimals = in_hundredths ? (size_t)table->readings : 0u;
    const uint16_t tag = surprisal_packet_tag(table, (const uint8_t *)memset(hundredths, 2, sizeof hundredths), decimals);
    surprisal_packet packet;
    size_t from = 0u;
    size_t at = 0u;
    unsigned seed = 1u;
    while (from < packets->length) {
        const size_t length = surprisal_packet_open(&packet, &packets->bytes[from], packets->length - from, tag);
        CHECK(length > 0u);
        CHECK(surprisal_packet_open(&packet, &packets->bytes[from], length - 1u, tag) == 0u);
        CHECK(surprisal_packet_open(&packet, &packets->bytes[from], length, (uint16_t)(tag ^ 1u)) == 0u);
        (void)surprisal_packet_open(&packet, &packets->bytes[from], length, tag);
        while ((length > 0u) && (packet.rows > 0u)) {
            surprisal_reading expected[SURPRISAL_MAX_COLUMNS];
            surprisal_reading found[SURPRISAL_MAX_COLUMNS];
            size_t i;
            CHECK(golden_row(table, kind, readings->bytes, readings->length, at, expected));
            CHECK(surprisal_packet_next(&packet, table, hundredths, decimals, found, table->readings) == SURPRISAL_OK);
            for (i = 0u; in_hundredths && (i < table->readings); ++i) {
                expected[i] = rounded_to_hundredths(&expected[i]);
            }
            if ((at % 50u) == 7u) {
                expected[at % table->readings] = surprisal_missing();
            }
            for (i = 0u; i < table->readings; ++i) {
                CHECK(found[i].type == expected[i].type);
                CHECK((found[i].type == (uint8_t)SURPRISAL_MISSING) ||
                      (found[i].value.real_bits == expected[i].value.real_bits));
            }
            ++at;
        }
        CHECK(surprisal_packet_next(&packet, table, NULL, 0u, NULL, table->readings) == SURPRISAL_ERROR_PACKETS);
        from += (length > 0u) ? length : packets->length;
    }
    CHECK(at == ((kind == GOLDEN_REALS) ? 31u : 200u));
    /* Any payload is some rows. */
    for (from = 0u; from < 20000u; ++from) {
        static const uint8_t DECIMALS[2][3] = {{0u, 9u, 3u}, {255u, 1u, 7u}};
        uint8_t bytes[40];
        surprisal_reading row[SURPRISAL_MAX_COLUMNS];
        size_t i;
        for (i = 0u; i < sizeof bytes; ++i) {
            seed = (seed * 1664525u) + 1013904223u;
            bytes[i] = (uint8_t)(seed >> 24);
        }
        packet.next = bytes;
        packet.left = (uint32_t)(seed % sizeof bytes);
        packet.range = UINT32_MAX;
        packet.place = seed;
        packet.second = 0x8000u;
        packet.rows = 3u;
        while (packet.rows > 0u) {
            CHECK(surprisal_packet_next(&packet, table, DECIMALS[from & 1u], 3u, row, table->readings) == SURPRISAL_OK);
        }
    }
    (void)printf("%s: %u rows of packets equal\n", "packets", (unsigned)at);
}

int main(int argc, char **argv) {
    static const char *const NAMES[] = {"shuttle", "views", "reals", "stream"};
    static surprisal_table table;
    golden_kind kind = GOLDEN_SHUTTLE;
    surprisal_status status;
    surprisal_reading row[SURPRISAL_MAX_COLUMNS];
    file_t file;
    file_t readings;
    file_t nats;
    unsigned at;
    if (argc != 5) {
        (void)fprintf(stderr, "usage: check_golden TABLE.srp READINGS NATS shuttle|views|reals|stream|refusals\n");
        return 2;
    }
    CHECK(link_checksums_differ() == 0u);
    file = read_file(argv[1]);
    readings = read_file(argv[2]);
    nats = read_file(argv[3]);
    status = surprisal_open(&table, file.bytes, file.length, SURPRISAL_ANY);
    if (status != SURPRISAL_OK) {
        (void)fprintf(stderr, "%s: %s\n", argv[1], surprisal_message(status));
        return 1;
    }
    if (table.golden_rows > 0u) {
        CHECK(surprisal_self_test(&table) == SURPRISAL_OK);
    }
    for (at = 0u; at <= (unsigned)SURPRISAL_ERROR_PACKETS; ++at) {
        CHECK(strlen(surprisal_message((surprisal_status)at)) > 7u);
    }
    if (strcmp(argv[4], "refusals") == 0) {
        (void)memset(row, 0, sizeof row);
        check_refusals(&file, row);
    } else if (strncmp(argv[4], "packets-", 8u) == 0) {
        const bool in_hundredths = strcmp(&argv[4][8], "decimals") == 0;
        for (at = 0u; at < 4u; ++at) {
            kind = (strcmp(&argv[4][8], NAMES[at]) == 0) ? (golden_kind)at : kind;
        }
        check_packets(&table, in_hundredths ? GOLDEN_REALS : kind, in_hundredths, &readings, &nats);
    } else {
        golden_count count;
        for (at = 0u; at < 4u; ++at) {
            kind = (strcmp(argv[4], NAMES[at]) == 0) ? (golden_kind)at : kind;
        }
        count = golden_compare(&table, kind, readings.bytes, readings.length, nats.bytes, nats.length);
        (void)printf("%s: rows equal: %u of %u, %u anomalous, %u golden rows\n", argv[1], count.equal, count.rows,
                     count.anomalous, table.golden_rows);
        CHECK((count.rows > 0u) && (count.equal == count.rows));
        if (kind != GOLDEN_STREAM) {
            check_operations(&table, kind, &readings);
        }
    }
    free(file.bytes);
    free(readings.bytes);
    free(nats.bytes);
    return (failures == 0u) ? 0 : 1;
}
