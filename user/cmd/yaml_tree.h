/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_YAML_TREE_H
#define PW_CMD_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_why;

/*
 * A YAML document as a tree that is walked by a schema: whoever reads it asks for what it expects, so that anchors and
 * aliases cost nothing and cannot loop. Every mistake is one sentence "name:line:column: what is wrong". The only file
 * that knows libyaml is yaml_tree.c.
 */
struct pw_yaml;
struct pw_yaml_node;

enum pw_yaml_kind { PW_YAML_SCALAR, PW_YAML_LIST, PW_YAML_MAPPING };

/*
 * Loads the one document of text, which is called name in messages and is not kept; name and why must outlive the tree.
 * -EINVAL (and said) if it is no YAML or there is more than one document.
 */
int pw_yaml_new(struct pw_yaml **ret_yaml, const char *name, const char *text, size_t size, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_yaml_free(struct pw_yaml *yaml);

const struct pw_yaml_node *pw_yaml_root(const struct pw_yaml *yaml); /* NULL: an empty file */
enum pw_yaml_kind pw_yaml_kind(const struct pw_yaml_node *node);
uint32_t pw_yaml_line(const struct pw_yaml_node *node); /* from 1 on */
bool pw_yaml_is_empty(const struct pw_yaml_node *node); /* nothing behind the colon, or "" */
bool pw_yaml_is_plain(const struct pw_yaml_node *node); /* a scalar without quotes */

/* The index-th element of a list or pair of a mapping; NULL, false: there is none. */
const struct pw_yaml_node *pw_yaml_item(const struct pw_yaml *yaml, const struct pw_yaml_node *list, size_t index);
bool pw_yaml_pair(const struct pw_yaml *yaml, const struct pw_yaml_node *mapping, size_t index,
		  const struct pw_yaml_node **ret_key, const struct pw_yaml_node **ret_value);

/* Says what is wrong with a node, with its place. Always -EINVAL. */
int pw_yaml_refuse(const struct pw_yaml *yaml, const struct pw_yaml_node *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Refuses a key that is none of words, with the nearest of them as a suggestion. */
int pw_yaml_refuse_key(const struct pw_yaml *yaml, const struct pw_yaml_node *key, const char *word,
		       const char *const *words, size_t count);
/* The text of a scalar; NULL (and refused) if the node is something else or holds a NUL. */
const char *pw_yaml_text(const struct pw_yaml *yaml, const struct pw_yaml_node *node, const char *what);
/* The same into text of size bytes; refused if it does not fit. 0 or -EINVAL. */
int pw_yaml_copy(const struct pw_yaml *yaml, const struct pw_yaml_node *node, const char *what, char *text, size_t size)
	__attribute__((warn_unused_result));

#endif
