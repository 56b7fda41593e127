/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/yaml_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/macros.h"
#include "base/parse.h"
#include "base/why.h"

struct pw_yaml {
	yaml_document_t document;
	const char *name;
	struct pw_why *why;
};

PW_DEFINE_CLEANUP(struct pw_yaml *, pw_yaml_free);

/* A node of ours is one of theirs: nothing but this file looks into it. */
static const yaml_node_t *inner(const struct pw_yaml_node *node)
{
	return (const yaml_node_t *)node;
}

static const struct pw_yaml_node *node_at(const struct pw_yaml *yaml, int index)
{
	/* libyaml takes a document that it does not change. */
	return (const struct pw_yaml_node *)yaml_document_get_node((yaml_document_t *)&yaml->document, index);
}

static int no_yaml(const struct pw_yaml *yaml, const yaml_parser_t *parser)
{
	return pw_why_set(yaml->why, -EINVAL, "%s:%zu:%zu: %s", yaml->name, parser->problem_mark.line + 1,
			  parser->problem_mark.column + 1, parser->problem ? parser->problem : "not valid YAML");
}

/* There must be no other document behind the first. */
static int refuse_second(const struct pw_yaml *yaml, yaml_parser_t *parser)
{
	yaml_document_t second;
	const yaml_node_t *root;
	int r = 0;

	if (!yaml_parser_load(parser, &second))
		return no_yaml(yaml, parser);
	root = yaml_document_get_root_node(&second);
	if (root)
		r = pw_yaml_refuse(yaml, (const struct pw_yaml_node *)root, "a second document: only one is read");
	yaml_document_delete(&second);
	return r;
}

static int load(struct pw_yaml **ret_yaml, struct pw_yaml *fresh, yaml_parser_t *parser)
{
	_cleanup_(pw_yaml_freep) struct pw_yaml *yaml = NULL;
	int r;

	if (!yaml_parser_load(parser, &fresh->document)) {
		r = no_yaml(fresh, parser);
		free(fresh); /* there is no document to delete */
		return r;
	}
	yaml = fresh;
	r = pw_yaml_root(yaml) ? refuse_second(yaml, parser) : 0;
	if (r >= 0)
		*ret_yaml = TAKE_PTR(yaml);
	return r;
}

int pw_yaml_new(struct pw_yaml **ret_yaml, const char *name, const char *text, size_t size, struct pw_why *reterr_why)
{
	struct pw_yaml *yaml = calloc(1, sizeof(*yaml));
	yaml_parser_t parser;
	int r;

	if (!yaml)
		return -ENOMEM;
	yaml->name = name;
	yaml->why = reterr_why;
	if (!yaml_parser_initialize(&parser)) {
		free(yaml);
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	r = load(ret_yaml, yaml, &parser);
	yaml_parser_delete(&parser);
	return r;
}

void pw_yaml_free(struct pw_yaml *yaml)
{
	if (!yaml)
		return;
	yaml_document_delete(&yaml->document);
	free(yaml);
}

const struct pw_yaml_node *pw_yaml_root(const struct pw_yaml *yaml)
{
	return (const struct pw_yaml_node *)yaml_document_get_root_node((yaml_document_t *)&yaml->document);
}

enum pw_yaml_kind pw_yaml_kind(const struct pw_yaml_node *node)
{
	return inner(node)->type == YAML_SEQUENCE_NODE	? PW_YAML_LIST
	       : inner(node)->type == YAML_MAPPING_NODE ? PW_YAML_MAPPING
							: PW_YAML_SCALAR;
}

uint32_t pw_yaml_line(const struct pw_yaml_node *node)
{
	return (uint32_t)(inner(node)->start_mark.line + 1);
}

bool pw_yaml_is_empty(const struct pw_yaml_node *node)
{
	return inner(node)->type == YAML_SCALAR_NODE && !inner(node)->data.scalar.length;
}

bool pw_yaml_is_plain(const struct pw_yaml_node *node)
{
	return inner(node)->type == YAML_SCALAR_NODE && inner(node)->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

const struct pw_yaml_node *pw_yaml_item(const struct pw_yaml *yaml, const struct pw_yaml_node *list, size_t index)
{
	const yaml_node_t *node = inner(list);

	if (node->type != YAML_SEQUENCE_NODE ||
	    index >= (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
		return NULL;
	return node_at(yaml, node->data.sequence.items.start[index]);
}

bool pw_yaml_pair(const struct pw_yaml *yaml, const struct pw_yaml_node *mapping, size_t index,
		  const struct pw_yaml_node **ret_key, const struct pw_yaml_node **ret_value)
{
	const yaml_node_t *node = inner(mapping);

	if (node->type != YAML_MAPPING_NODE ||
	    index >= (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start))
		return false;
	*ret_key = node_at(yaml, node->data.mapping.pairs.start[index].key);
	*ret_value = node_at(yaml, node->data.mapping.pairs.start[index].value);
	return *ret_key && *ret_value;
}

int pw_yaml_refuse(const struct pw_yaml *yaml, const struct pw_yaml_node *node, const char *fmt, ...)
{
	const yaml_mark_t *mark = &inner(node)->start_mark;
	char text[PW_WHY_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return pw_why_set(yaml->why, -EINVAL, "%s:%zu:%zu: %s", yaml->name, mark->line + 1, mark->column + 1, text);
}

int pw_yaml_refuse_key(const struct pw_yaml *yaml, const struct pw_yaml_node *key, const char *word,
		       const char *const *words, size_t count)
{
	const char *near = pw_suggest(word, words, count);

	return near ? pw_yaml_refuse(yaml, key, "unknown key '%s': did you mean '%s'?", word, near)
		    : pw_yaml_refuse(yaml, key, "unknown key '%s'", word);
}

const char *pw_yaml_text(const struct pw_yaml *yaml, const struct pw_yaml_node *node, const char *what)
{
	const char *text;

	if (inner(node)->type != YAML_SCALAR_NODE) {
		pw_yaml_refuse(yaml, node, "%s must be a single value", what);
		return NULL;
	}
	text = (const char *)inner(node)->data.scalar.value;
	if (strlen(text) != inner(node)->data.scalar.length) {
		pw_yaml_refuse(yaml, node, "%s holds a NUL byte", what);
		return NULL;
	}
	return text;
}

int pw_yaml_copy(const struct pw_yaml *yaml, const struct pw_yaml_node *node, const char *what, char *text, size_t size)
{
	const char *from = pw_yaml_text(yaml, node, what);

	if (!from)
		return -EINVAL;
	if (strlen(from) >= size)
		return pw_yaml_refuse(yaml, node, "%s must have at most %zu bytes", what, size - 1);
	memcpy(text, from, strlen(from) + 1);
	return 0;
}
