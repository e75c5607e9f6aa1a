/**
 * @file surprisal.h
 * Reads and scores `.srp` tables of `surprisal` in C99: how surprising is a row of sensor readings?
 *
 * Add `surprisal.c` to your build and include this header. There is no allocation, no recursion, no floating-point
 * arithmetic and no global state that changes. A table stays where it is, in flash or in RAM, at an address that is a
 * multiple of four. Format version 5 is read, of both kinds of model: outcome tables (the default of the trainer) and
 * models of bits. Scores are those of the Rust crate and of the trainer, to the last bit.
 *
 * Not supported: the features of raw signals (`surprisal fit --signal`) are not computed here. A table of features can be
 * scored, if you compute the features yourself. Samples, drift, the writing of packets and packets of time series are left
 * out.
 *
 * Surprisals (`nats`) are integers in units of 1/65536 nat. The largest one, SURPRISAL_IMPOSSIBLE, stands for infinity.
 *
 * Your compiler must shift negative numbers arithmetically and convert them modulo 2^32, as gcc, clang, IAR and Arm do; a
 * build for another compiler fails. Bytes are little-endian: a big-endian core refuses every table.
 */
#ifndef SURPRISAL_H
#define SURPRISAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Capacities, which size arrays on the stack and in @ref surprisal_table. Define others for the whole build. A table that
 * needs more is refused by @ref surprisal_open, which then stores what it needs in `table->needed`. */
#ifndef SURPRISAL_MAX_COLUMNS
/** The largest number of columns of a view, of readings of a row, and of channels of a time series. 6 bytes of stack each. */
#define SURPRISAL_MAX_COLUMNS 64u
#endif
#ifndef SURPRISAL_MAX_VIEWS
/** The largest number of views, 1 to 4; the trainer fits at most two. */
#define SURPRISAL_MAX_VIEWS 2u
#endif
#ifndef SURPRISAL_MAX_BITS
/** The largest number of bits of a model of bits. 3 bytes of stack each. Define SURPRISAL_NO_BITS to leave such models out. */
#define SURPRISAL_MAX_BITS 512u
#endif
#ifndef SURPRISAL_MAX_UNITS
/** The largest number of hidden units of a model of bits. 6 bytes of stack each. */
#define SURPRISAL_MAX_UNITS 32u
#endif
#ifndef SURPRISAL_MAX_COMPONENTS
/** The largest number of mixture components of a model of bits. 4 bytes of stack each. */
#define SURPRISAL_MAX_COMPONENTS 16u
#endif

/** The surprisal of an impossible row, and the threshold of a detector that never alarms. */
#define SURPRISAL_IMPOSSIBLE UINT32_MAX
/** Accepts a table with any fingerprint in @ref surprisal_open. */
#define SURPRISAL_ANY 0u

/** Types of readings, in surprisal_reading::type. Any other number counts as SURPRISAL_MISSING. */
enum { SURPRISAL_MISSING = 0, SURPRISAL_INTEGER = 1, SURPRISAL_REAL = 2 };

/** The value of one column in one row. Make one with @ref surprisal_integer, @ref surprisal_real or @ref
 * surprisal_missing. */
typedef struct {
    uint8_t type; /**< SURPRISAL_MISSING, SURPRISAL_INTEGER or SURPRISAL_REAL */
    union {
        int32_t integer;    /**< of SURPRISAL_INTEGER: a count, a flag (0 or 1), or the code of a category */
        uint32_t real_bits; /**< of SURPRISAL_REAL: the bits of an IEEE 754 binary32; a NaN is missing */
    } value;
} surprisal_reading;

/** @return the reading of a sensor that delivered no value. */
static inline surprisal_reading surprisal_missing(void) {
    surprisal_reading reading;
    reading.type = (uint8_t)SURPRISAL_MISSING;
    reading.value.integer = 0;
    return reading;
}

/** @return the reading of an integer, a flag or the code of a category. */
static inline surprisal_reading surprisal_integer(int32_t value) {
    surprisal_reading reading;
    reading.type = (uint8_t)SURPRISAL_INTEGER;
    reading.value.integer = value;
    return reading;
}

/** @return the reading of a real number. A NaN is a missing reading. */
static inline surprisal_reading surprisal_real(float value) {
    surprisal_reading reading;
    reading.type = (uint8_t)SURPRISAL_REAL;
    (void)memcpy(&reading.value.real_bits, &value, sizeof reading.value.real_bits);
    return reading;
}

/** What went wrong. @ref surprisal_message says it in words, and what to do. */
typedef enum {
    SURPRISAL_OK = 0,                    /**< nothing */
    SURPRISAL_ERROR_NOT_A_TABLE,         /**< open: the bytes are no table */
    SURPRISAL_ERROR_UNSUPPORTED_VERSION, /**< open: another version of the format than 5 */
    SURPRISAL_ERROR_TRUNCATED,           /**< open: the bytes end before the table */
    SURPRISAL_ERROR_CORRUPT,             /**< open: the checksum does not match */
    SURPRISAL_ERROR_MISALIGNED,          /**< open: the address is not a multiple of four */
    SURPRISAL_ERROR_FINGERPRINT,         /**< open: the table is for other columns than the firmware */
    SURPRISAL_ERROR_MAX_COLUMNS,         /**< open: see SURPRISAL_MAX_COLUMNS */
    SURPRISAL_ERROR_MAX_VIEWS,           /**< open: see SURPRISAL_MAX_VIEWS */
    SURPRISAL_ERROR_MAX_BITS,            /**< open: see SURPRISAL_MAX_BITS */
    SURPRISAL_ERROR_MAX_UNITS,           /**< open: see SURPRISAL_MAX_UNITS */
    SURPRISAL_ERROR_MAX_COMPONENTS,      /**< open: see SURPRISAL_MAX_COMPONENTS */
    SURPRISAL_ERROR_NO_BITS,             /**< open: a model of bits, which SURPRISAL_NO_BITS leaves out */
    SURPRISAL_ERROR_INCONSISTENT,        /**< open: sections do not fit each other */
    SURPRISAL_ERROR_ORDER,               /**< open: a column or bit depends on a later one */
    SURPRISAL_ERROR_NO_COLUMNS,          /**< open: the model takes bits in place of readings */
    SURPRISAL_ERROR_COUNT,               /**< row: another number of readings than the table has columns */
    SURPRISAL_ERROR_TYPE,                /**< row: an integer in place of a real number, or the reverse */
    SURPRISAL_ERROR_SELF_TEST,           /**< self-test: another score than the stored one */
    SURPRISAL_ERROR_NO_GOLDEN_ROWS,      /**< self-test: the table holds no golden rows */
    SURPRISAL_ERROR_NO_PREDICTOR,        /**< stream: the table is not of a time series */
    SURPRISAL_ERROR_RING,                /**< stream: the ring buffer is too small */
    SURPRISAL_ERROR_PACKETS              /**< packet: no further row, or a table of a time series */
} surprisal_status;

/** @return what a status means and what to do about it, in English, never NULL. */
const char *surprisal_message(surprisal_status status);

/** Numbers of a table. The table may be declared as an array of any type: loads through these types are defined whatever the
 * type of the bytes is. A compiler without the attribute must not assume that types do not alias: with IAR's, compile
 * `surprisal.c` with `--no_tbaa`. Internal. */
#if defined(__GNUC__)
#define SURPRISAL_ALIASING __attribute__((__may_alias__))
#else
#define SURPRISAL_ALIASING
#endif
typedef uint16_t SURPRISAL_ALIASING surprisal_uint16;
typedef int16_t SURPRISAL_ALIASING surprisal_int16;
typedef uint32_t SURPRISAL_ALIASING surprisal_uint32;
typedef int32_t SURPRISAL_ALIASING surprisal_int32;

/** One view of a table: pointers into its bytes. Internal; filled by @ref surprisal_open. */
typedef struct {
    const surprisal_uint16 *words;      /**< encoder columns */
    const surprisal_int32 *values;      /**< edges and codes */
    const surprisal_uint16 *log_widths; /**< log-widths of cells */
    const surprisal_int32 *prototypes;  /**< four numbers per column of the prototypes */
    const int8_t *points;               /**< coordinates of the prototypes */
    const surprisal_uint16 *shapes;     /**< three numbers per outcome column */
    const uint8_t *groups;              /**< rows by the outcomes of parents */
    const surprisal_uint32 *splits;     /**< splits of trees */
    const surprisal_uint16 *rows;       /**< sums of masses */
    const surprisal_uint16 *baselines;  /**< mean surprisal of each column, or NULL */
    const surprisal_uint32 *starts;     /**< five positions per column */
    uint32_t log_unit;                  /**< part of the log-width that all rows have in common */
    uint32_t reach;                     /**< largest usual squared distance from a prototype */
    uint32_t level;                     /**< largest baseline in units of 1/65536 nat */
    uint16_t columns;                   /**< number of columns */
    uint16_t width;                     /**< number of columns of the prototypes */
    uint16_t points_count;              /**< number of prototypes */
} surprisal_view;

/** The model of bits of a table: pointers into its bytes. Internal; filled by @ref surprisal_open. */
typedef struct {
    const surprisal_uint16 *words;         /**< encoder columns */
    const surprisal_int32 *values;         /**< edges and codes */
    const surprisal_uint16 *log_widths;    /**< log-widths of cells */
    const surprisal_uint16 *constraints;   /**< one per bit, or NULL */
    const surprisal_int16 *biases;         /**< of the linear term, or NULL */
    const surprisal_uint16 *scales;        /**< of the linear term, or NULL */
    const surprisal_uint16 *starts;        /**< of sparse weights, or NULL if they are dense or absent */
    const uint8_t *weights;                /**< dense or sparse weights, or NULL */
    const surprisal_uint16 *tree_starts;   /**< splits of each bit, or NULL */
    const surprisal_uint16 *splits;        /**< splits of trees */
    const int8_t *leaves;                  /**< leaves of trees */
    const surprisal_uint16 *leaf_scales;   /**< one per bit */
    const surprisal_int16 *hidden_biases;  /**< one per hidden unit */
    const surprisal_uint16 *hidden_gains;  /**< one per sigmoid */
    const int8_t *hidden_inputs;           /**< one per bit and unit */
    const int8_t *hidden_outputs;          /**< one per bit and unit */
    const surprisal_uint16 *hidden_scales; /**< one per bit */
    const surprisal_uint16 *priors;        /**< one per mixture component */
    const uint8_t *parents;                /**< two bytes per bit */
    const int8_t *logits;                  /**< one per bit and component */
    uint32_t leaf_count;                   /**< number of leaves */
    uint16_t word_count;                   /**< number of words of encoder columns */
    uint16_t bits;                         /**< number of bits */
    uint16_t units;                        /**< number of hidden units, 0 without a hidden layer */
    uint16_t components;                   /**< number of mixture components, 0 without a mixture */
    uint8_t feature_bits;                  /**< low bits of a split that name a bit */
    uint8_t activation;                    /**< 0 rectified linear, 1 sigmoid, 2 identity */
    uint8_t shift;                         /**< of the hidden layer */
} surprisal_bits;

/** A table that is open: pointers into its bytes, which must stay in place unchanged. Its fields are internal, except for
 * those that are documented as yours to read. */
typedef struct {
    const uint8_t *kinds;                     /**< kind of each reading, or NULL */
    const surprisal_uint32 *golden_readings;  /**< words of golden rows */
    const surprisal_uint32 *golden_scores;    /**< two per golden row */
    const surprisal_uint32 *calibration;      /**< eleven numbers of the detector */
    const surprisal_uint32 *quantiles;        /**< of anomaly scores */
    const surprisal_uint16 *baselines;        /**< mean surprisal by reading, or NULL */
    const surprisal_int32 *predictor;         /**< words of the predictor, or NULL */
    const surprisal_int16 *predictor_weights; /**< weights of the predictor */
    uint32_t fingerprint;                     /**< yours to read: identifies the columns */
    uint32_t golden_rows;                     /**< yours to read: number of golden rows */
    uint32_t needed;                          /**< yours to read after SURPRISAL_ERROR_MAX_...: the capacity that the table needs */
    uint32_t level;                           /**< largest baseline in units of 1/65536 nat */
    uint16_t readings;                        /**< yours to read: number of readings of a row that is scored */
    uint16_t channels;                        /**< yours to read: channels of a time series, otherwise 0 */
    uint16_t states;                          /**< yours to read: how many of the channels are flags or categories */
    uint16_t window;                          /**< yours to read: rows of history of a time series, otherwise 0 */
    uint16_t quantile_count;                  /**< number of quantiles */
    uint16_t baseline_count;                  /**< number of baselines */
    uint8_t views;                            /**< number of views, 0 for a model of bits */
    surprisal_view view[SURPRISAL_MAX_VIEWS]; /**< the views */
#ifndef SURPRISAL_NO_BITS
    surprisal_bits bits; /**< the model of bits */
#endif
} surprisal_table;

/**
 * Opens a table in place and checks all of it, so that later calls fail for bad readings alone.
 *
 * @param table is filled in; after an error it must not be used, except for `needed`
 * @param bytes the `.srp` file or its table, at an address that is a multiple of four
 * @param length number of bytes; bytes after the table are ignored
 * @param fingerprint of the columns that the firmware was compiled for, or SURPRISAL_ANY
 * @return SURPRISAL_OK or one of the errors of opening
 */
surprisal_status surprisal_open(surprisal_table *table, const void *bytes, size_t length, uint32_t fingerprint);

/** The score of a row. Surprisals are in units of 1/65536 nat. */
typedef struct {
    uint32_t nats;    /**< surprisal of the row */
    uint32_t anomaly; /**< anomaly score, which @ref surprisal_is_anomalous compares with the threshold */
    uint32_t largest; /**< largest surprisal of a column */
    uint16_t column;  /**< that column, as the position of its reading; after SURPRISAL_ERROR_TYPE the column at fault */
    uint16_t missing; /**< readings that are missing but never were in training; they are left out of the score */
} surprisal_score;

/**
 * Scores a row. A row that lacks all readings, none of which was missing in training, has the score SURPRISAL_IMPOSSIBLE.
 *
 * @param table an open table
 * @param readings one per column, in the order of the training columns
 * @param count number of readings
 * @param out the score
 * @return SURPRISAL_OK, SURPRISAL_ERROR_COUNT or SURPRISAL_ERROR_TYPE
 */
surprisal_status surprisal_score_row(const surprisal_table *table, const surprisal_reading *readings, size_t count,
                                     surprisal_score *out);

/**
 * Splits the surprisal of a row into the shares of its readings, which add up to it.
 *
 * @param table an open table
 * @param readings as for @ref surprisal_score_row
 * @param count number of readings and of shares
 * @param shares the share of each reading, in units of 1/65536 nat
 * @param nats the surprisal of the row; may be NULL
 * @return as @ref surprisal_score_row
 */
surprisal_status surprisal_explain(const surprisal_table *table, const surprisal_reading *readings, size_t count,
                                   uint32_t *shares, uint32_t *nats);

/** @return whether an anomaly score (1/65536 nat) exceeds the threshold of the table. */
bool surprisal_is_anomalous(const surprisal_table *table, uint32_t anomaly);

/** @return the share of normal rows that score at least as high, in parts per million, 0 to 1,000,000. */
uint32_t surprisal_p_value_ppm(const surprisal_table *table, uint32_t anomaly);

/** Scores the golden rows of the table, and compares with the stored scores. Run it after a start: a core, a compiler or a
 * memory that computes other numbers is damaged.
 * @return SURPRISAL_OK, SURPRISAL_ERROR_SELF_TEST or SURPRISAL_ERROR_NO_GOLDEN_ROWS */
surprisal_status surprisal_self_test(const surprisal_table *table);

/** Which reading of an anomalous row is at fault, and what it should have been. */
typedef struct {
    uint32_t before;            /**< anomaly score of the row */
    uint32_t anomaly;           /**< anomaly score with the expected value in place of the blamed reading */
    uint32_t runner_up_anomaly; /**< the same for the runner-up */
    surprisal_reading expected; /**< value that makes the row most normal, or missing if no column can be blamed */
    uint16_t column;            /**< blamed column, as the position of its reading */
    uint16_t runner_up;         /**< column that explains the row second best */
    bool has_runner_up;         /**< whether there is one */
} surprisal_blamed;

/**
 * Finds the column that is most likely at fault, by replacing one reading at a time with up to 24 typical values. Takes up to
 * 25 scores per column: call it for alarms.
 *
 * @param table an open table
 * @param readings as for @ref surprisal_score_row; changed during the call, the same afterwards
 * @param count number of readings
 * @param out the blamed column
 * @return as @ref surprisal_score_row
 */
surprisal_status surprisal_blame(const surprisal_table *table, surprisal_reading *readings, size_t count,
                                 surprisal_blamed *out);

/** @return whether replacing the runner-up explains the row nearly (7/8) as well, or no replacement helps. */
bool surprisal_is_ambiguous(const surprisal_blamed *blamed);

/** The state of a stream of rows. Set it up with @ref surprisal_monitor_init; change the rule of alarms as you like. */
typedef struct {
    uint32_t sum;      /**< cumulative sum, 1/65536 nat */
    uint32_t recent;   /**< whether each of the last 32 rows was anomalous, the last in the lowest bit */
    uint16_t quiet;    /**< rows until the next alarm may be raised */
    uint16_t hold_off; /**< rule: rows after an alarm without another one */
    uint8_t votes;     /**< rule: anomalous rows that raise an alarm; 0 counts as 1 */
    uint8_t of;        /**< rule: last rows among which these are, 1 to 32 */
} surprisal_monitor;

/** What a monitor says of a row. */
typedef struct {
    uint32_t p_ppm;    /**< p-value in parts per million */
    bool is_anomalous; /**< the row's anomaly score exceeds the threshold */
    bool trend;        /**< scores of several rows have been too large */
    bool is_agreed;    /**< enough of the last rows are anomalous: a state, for a lamp */
    bool alarm;        /**< raise an alarm now: an event, for a message */
} surprisal_report;

/** Sets up a monitor that raises an alarm at every anomalous row and every trend. */
void surprisal_monitor_init(surprisal_monitor *monitor);

/** Updates a monitor with one scored row. @return what it says of the row. */
surprisal_report surprisal_monitor_push(surprisal_monitor *monitor, const surprisal_table *table,
                                        const surprisal_score *score);

/** The last rows of a time series, in a ring buffer that you provide. */
typedef struct {
    int32_t *ring;   /**< `channels * window` numbers */
    uint16_t next;   /**< row of the ring that is written next */
    uint16_t filled; /**< number of rows in the ring */
} surprisal_stream;

/**
 * Sets up a stream without earlier rows; also resets one, after a gap in the series.
 *
 * @param stream is filled in
 * @param table an open table of a time series
 * @param ring room for `table->channels * table->window` numbers
 * @param capacity number of numbers there is room for
 * @return SURPRISAL_OK, SURPRISAL_ERROR_NO_PREDICTOR or SURPRISAL_ERROR_RING
 */
surprisal_status surprisal_stream_init(surprisal_stream *stream, const surprisal_table *table, int32_t *ring,
                                       size_t capacity);

/**
 * Adds a row of a time series, and turns it in place into the readings that @ref surprisal_score_row takes.
 *
 * @param stream the stream
 * @param table the table of @ref surprisal_stream_init
 * @param row the readings of all channels, and one free element per state behind them
 * @param count number of elements, `table->channels + table->states`
 * @param ready whether `window` rows came before, so that the row can be scored; otherwise do not score it
 * @return SURPRISAL_OK, or SURPRISAL_ERROR_NO_PREDICTOR, SURPRISAL_ERROR_COUNT or SURPRISAL_ERROR_TYPE and the row is not
 * added
 */
surprisal_status surprisal_stream_push(surprisal_stream *stream, const surprisal_table *table, surprisal_reading *row,
                                       size_t count, bool *ready);

/** A packet of rows that is being read. Its fields are internal, except for `rows`. */
typedef struct {
    const uint8_t *next; /**< next byte of the payload */
    uint32_t left;       /**< bytes of the payload that are left */
    uint32_t range;      /**< width of the interval of the decoder */
    uint32_t place;      /**< place of the payload in the interval */
    uint16_t second;     /**< probability of the second view */
    uint16_t rows;       /**< yours to read: rows that are left */
} surprisal_packet;

/** @return the number that tells packets of this table with these decimals from others. `decimals` holds the number of decimals
 * of each reading, or 255 for floats of any value; `count` may be 0 if there are no real numbers. */
uint16_t surprisal_packet_tag(const surprisal_table *table, const uint8_t *decimals, size_t count);

/**
 * Opens the packet that begins with these bytes, which must stay in place until its rows are read.
 *
 * @param packet is filled in
 * @param bytes the packet; bytes behind it are ignored
 * @param length number of bytes
 * @param tag of @ref surprisal_packet_tag
 * @return the length of the packet, or 0 if it is cut short, damaged or of another table
 */
size_t surprisal_packet_open(surprisal_packet *packet, const uint8_t *bytes, size_t length, uint16_t tag);

/**
 * Reads the next row of a packet.
 *
 * @param packet an open packet with `rows` above 0
 * @param table the table of the tag
 * @param decimals as for the tag
 * @param decimal_count number of decimals
 * @param readings is filled in
 * @param count number of readings, `table->readings`
 * @return SURPRISAL_OK, SURPRISAL_ERROR_COUNT or SURPRISAL_ERROR_PACKETS
 */
surprisal_status surprisal_packet_next(surprisal_packet *packet, const surprisal_table *table, const uint8_t *decimals,
                                       size_t decimal_count, surprisal_reading *readings, size_t count);

#ifdef __cplusplus
}
#endif

#endif
