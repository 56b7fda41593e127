/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/parse.h"

#include <math.h>
#include <string.h>

#include "base/limits.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int digit_value(char c, unsigned int base)
{
	int value = -1;

	if (is_digit(c))
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	return value >= 0 && (unsigned int)value < base ? value : -1;
}

int pw_parse_u64(const char *text, uint64_t *ret_value)
{
	unsigned int base = 10;
	uint64_t value = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		int digit = digit_value(*text, base);

		if (digit < 0)
			return -EINVAL;
		if (pw_mul_overflows(value, (uint64_t)base, &value) || pw_add_overflows(value, (uint64_t)digit, &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

/* Of a pid or a port nobody means hex. */
static int parse_decimal(const char *text, uint64_t *ret_value)
{
	return text[strspn(text, "0123456789")] ? -EINVAL : pw_parse_u64(text, ret_value);
}

int pw_parse_i64(const char *text, int64_t *ret_value)
{
	bool negative = *text == '-';
	uint64_t magnitude;
	int r;

	if (*text == '-' || *text == '+')
		text++;
	if (!is_digit(*text) || (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')))
		return -EINVAL;
	r = pw_parse_u64(text, &magnitude);
	if (r < 0)
		return r;
	if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return -ERANGE;
	*ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return 0;
}

/* Digits with at most one '.', from *cursor on; moves it behind them. */
static int take_decimal(const char **cursor, double *ret_value)
{
	double value = 0, unit = 1;
	bool any = false;

	for (; is_digit(**cursor); (*cursor)++, any = true)
		value = value * 10 + (**cursor - '0');
	if (**cursor == '.') {
		(*cursor)++;
		if (!is_digit(**cursor))
			return -EINVAL;
		for (; is_digit(**cursor); (*cursor)++)
			value += (**cursor - '0') * (unit /= 10);
		any = true;
	}
	if (!any)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

int pw_parse_double(const char *text, double *ret_value)
{
	const char *end = text;
	char *parsed;
	double value;

	if (*end == '-' || *end == '+')
		end++;
	if (!is_digit(*end) && *end != '.')
		return -EINVAL;
	if (strpbrk(text, "xXpP,"))
		return -EINVAL;
	value = strtod(text, &parsed);
	if (*parsed || parsed == text)
		return -EINVAL;
	if (!isfinite(value))
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int pw_parse_bool(const char *text, bool *ret_value)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*ret_value = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

int pw_parse_pid(const char *text, int *ret_pid)
{
	uint64_t value;
	int r;

	r = parse_decimal(text, &value);
	if (r < 0)
		return r;
	if (value < 1 || value > 4194304)
		return -ERANGE;
	*ret_pid = (int)value;
	return 0;
}

struct unit {
	const char *name;
	double factor;
};

static const struct unit *find_unit(const struct unit *units, size_t count, const char *text, size_t size)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(units[i].name) == size && memcmp(units[i].name, text, size) == 0)
			return &units[i];
	return NULL;
}

int pw_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {{"", 1},	     {"B", 1},	       {"K", 1024.0},	  {"KB", 1024.0},
					    {"KiB", 1024.0}, {"M", 1048576.0}, {"MB", 1048576.0}, {"MiB", 1048576.0},
					    {"G", 0x1p30},   {"GB", 0x1p30},   {"GiB", 0x1p30},	  {"T", 0x1p40},
					    {"TB", 0x1p40},  {"TiB", 0x1p40}};
	const char *cursor = text;
	const struct unit *unit;
	double value;

	if (take_decimal(&cursor, &value) < 0)
		return -EINVAL;
	unit = find_unit(units, ARRAY_SIZE(units), cursor, strlen(cursor));
	if (!unit)
		return -EINVAL;
	if (value * unit->factor >= 0x1p63)
		return -ERANGE;
	*ret_bytes = (uint64_t)(value * unit->factor);
	return 0;
}

int pw_parse_duration(const char *text, uint64_t *ret_ns)
{
	static const struct unit units[] = {{"ns", 1},	 {"us", 1e3},	{"ms", 1e6},   {"s", 1e9},
					    {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	const char *cursor = text;
	double total = 0;

	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (!*cursor)
		return -EINVAL;
	while (*cursor) {
		const struct unit *unit;
		double value;
		size_t size;

		if (take_decimal(&cursor, &value) < 0)
			return -EINVAL;
		size = strspn(cursor, "abcdefghijklmnopqrstuvwxyz");
		unit = find_unit(units, ARRAY_SIZE(units), cursor, size);
		if (!unit)
			return -EINVAL;
		cursor += size;
		total += value * unit->factor;
	}
	if (total >= 0x1p63)
		return -ERANGE;
	*ret_ns = (uint64_t)(total + 0.5);
	return 0;
}

int pw_parse_percent(const char *text, double *ret_ratio)
{
	const char *cursor = text;
	double value;

	if (take_decimal(&cursor, &value) < 0)
		return -EINVAL;
	if (strcmp(cursor, "%") == 0)
		value /= 100;
	else if (*cursor)
		return -EINVAL;
	if (!isfinite(value))
		return -ERANGE;
	*ret_ratio = value;
	return 0;
}

int pw_parse_address(const char *text, char *ret_host, size_t host_size, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':'), *start = text;
	size_t size;
	uint64_t port;
	int r;

	if (!colon)
		return -EINVAL;
	r = parse_decimal(colon + 1, &port);
	if (r < 0)
		return r;
	if (port > UINT16_MAX)
		return -ERANGE;
	size = (size_t)(colon - text);
	if (size > 0 && start[0] == '[') {
		if (size < 3 || start[size - 1] != ']')
			return -EINVAL;
		start++;
		size -= 2;
	} else if (memchr(start, ':', size)) {
		return -EINVAL;
	}
	if (size >= host_size)
		return -ERANGE;
	memcpy(ret_host, start, size);
	ret_host[size] = '\0';
	*ret_port = (uint16_t)port;
	return 0;
}

/* One [...] against c; *ret_size is the length of the class in the pattern. False as literal '[' when unclosed. */
static bool match_class(const char *pattern, char c, size_t *ret_size, bool *ret_matches)
{
	size_t i = 1;
	bool negate = pattern[i] == '!' || pattern[i] == '^', matches = false;

	if (negate)
		i++;
	for (size_t first = i; pattern[i] && (pattern[i] != ']' || i == first); i++) {
		if (pattern[i + 1] == '-' && pattern[i + 2] && pattern[i + 2] != ']') {
			matches |= c >= pattern[i] && c <= pattern[i + 2];
			i += 2;
		} else {
			matches |= c == pattern[i];
		}
	}
	if (pattern[i] != ']')
		return false;
	*ret_size = i + 1;
	*ret_matches = matches != negate;
	return true;
}

/* Pattern element against one character: its length in the pattern, 0 if it does not match. */
static size_t match_one(const char *pattern, char c)
{
	size_t size = 0;
	bool matches = false;

	if (*pattern == '?')
		return 1;
	if (*pattern == '[' && match_class(pattern, c, &size, &matches))
		return matches ? size : 0;
	return *pattern && *pattern == c ? 1 : 0;
}

bool pw_glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		size_t size = *pattern == '*' ? 0 : match_one(pattern, *text);

		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (size > 0) {
			pattern += size;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

unsigned int pw_edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][PW_PARSE_KEY_MAX + 1];
	size_t a_size = strnlen(a, PW_PARSE_KEY_MAX), b_size = strnlen(b, PW_PARSE_KEY_MAX);

	for (size_t j = 0; j <= b_size; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= a_size; i++) {
		unsigned int *row = rows[i % 3];
		const unsigned int *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_size; j++) {
			unsigned int cost = a[i - 1] != b[j - 1];

			row[j] = PW_MIN(PW_MIN(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = PW_MIN(row[j], before[j - 2] + 1);
		}
	}
	return rows[a_size % 3][b_size];
}

const char *pw_suggest(const char *word, const char *const *candidates, size_t count)
{
	const char *best = NULL;
	unsigned int nearest = (unsigned int)PW_MIN(strlen(word), (size_t)PW_PARSE_KEY_MAX) / 3 + 1;

	for (size_t i = 0; i < count; i++) {
		unsigned int distance = pw_edit_distance(word, candidates[i]);

		if (distance <= nearest && distance < strlen(candidates[i])) {
			if (best && distance == nearest)
				continue;
			best = candidates[i];
			nearest = distance;
		}
	}
	return best;
}
