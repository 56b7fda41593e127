/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/flame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/size.h"
#include "base/table.h"
#include "base/time.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "model/profile.h"

/*
 * A flame graph: stacks become a tree from their outermost frame on, each node as wide as what is beneath it, the root
 * at the bottom, states (if there are some) as the leaves. One SVG file: what it does (zoom,
 * search) is a small script inside that asks for nothing from elsewhere. A text of the target appears only escaped, as
 * the content of <title> and <text>.
 */
#define WIDTH	   1200.0
#define ROW	   17
#define TOP	   48
#define BOTTOM	   12
#define DEPTH_MAX  512 /* rows that are drawn */
#define NODES_MAX  (1U << 20)
#define WIDTH_MIN  0.08 /* narrower ones are not drawn: a tenth of a pixel */
#define CHAR_WIDTH 6.6

struct node {
	uint32_t parent, first_child, next_sibling;
	const char *name;
	bool leaf; /* a state, not a function */
	uint64_t value;
};

struct pw_flame {
	const struct pw_profile *profile; /* borrowed */
	PW_VEC(struct node) nodes;
	struct pw_table children; /* (parent, name, leaf) -> index */
	uint32_t depth;		  /* of the deepest that is drawn */
	uint64_t total;
};

void pw_flame_free(struct pw_flame *flame)
{
	if (!flame)
		return;
	pw_vec_done(&flame->nodes);
	pw_table_done(&flame->children);
	free(flame);
}

int pw_flame_new(struct pw_flame **ret_flame, const struct pw_profile *profile)
{
	struct pw_flame *flame = calloc(1, sizeof(*flame));
	struct node *root;

	if (!flame)
		return -ENOMEM;
	flame->profile = profile;
	flame->children = (struct pw_table)PW_TABLE_INIT(NODES_MAX, NULL);
	flame->nodes.max = NODES_MAX;
	root = pw_vec_add(&flame->nodes);
	if (!root) {
		pw_flame_free(flame);
		return -ENOMEM;
	}
	root->name = "all";
	*ret_flame = flame;
	return 0;
}

/* Names are told apart by their place: those of frames are interned, those of states the caller's own. */
static int child(struct pw_flame *flame, uint32_t parent, const char *name, bool leaf, uint32_t *ret_index)
{
	struct {
		const char *name;
		uint32_t parent, leaf;
	} key = {name, parent, leaf};
	uintptr_t known = (uintptr_t)pw_table_peek(&flame->children, &key, sizeof(key));
	struct node *node;
	int r;

	if (known) {
		*ret_index = (uint32_t)known;
		return 0;
	}
	node = pw_vec_add(&flame->nodes);
	if (!node)
		return -ENOMEM;
	*ret_index = (uint32_t)flame->nodes.count - 1;
	r = pw_table_put(&flame->children, &key, sizeof(key), (void *)(uintptr_t)*ret_index);
	if (r < 0)
		return r;
	*node = (struct node){.parent = parent, .name = name, .leaf = leaf};
	node->next_sibling = flame->nodes.items[parent].first_child;
	flame->nodes.items[parent].first_child = *ret_index;
	return 0;
}

int pw_flame_add(struct pw_flame *flame, const struct pw_profile_frame *frames, uint32_t count, const char *state,
		 uint64_t value)
{
	uint32_t at = 0;
	int r = 0;

	if (!value)
		return 0;
	flame->nodes.items[0].value += value;
	for (uint32_t i = 0; i < count && i < DEPTH_MAX && r >= 0; i++) {
		r = child(flame, at, pw_profile_string(flame->profile, frames[count - 1 - i].function), false, &at);
		if (r >= 0)
			flame->nodes.items[at].value += value;
	}
	if (r >= 0 && state) {
		r = child(flame, at, state, true, &at);
		if (r >= 0)
			flame->nodes.items[at].value += value;
	}
	return r;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

/* For XML 1.0: what it does not allow at all (control characters, what is not UTF-8) becomes a question mark. */
static void put_xml(struct pw_buf *out, const char *text)
{
	size_t size = strlen(text);

	for (size_t i = 0; i < size;) {
		uint32_t code = 0;
		size_t length = pw_utf8_next(text + i, size - i, &code);

		if (!length || code < 0x20 || pw_utf8_is_control(code) || code == 0xfffe || code == 0xffff)
			pw_buf_putc(out, '?');
		else if (code == '&')
			pw_buf_puts(out, "&amp;");
		else if (code == '<')
			pw_buf_puts(out, "&lt;");
		else if (code == '>')
			pw_buf_puts(out, "&gt;");
		else if (code == '"')
			pw_buf_puts(out, "&quot;");
		else if (code == '\'')
			pw_buf_puts(out, "&#39;");
		else
			pw_buf_append(out, text + i, length);
		i += length ? length : 1;
	}
}

/* The same name has the same colour in every graph; states are blue, the runtime grey, the rest warm. */
static void colour(const struct node *node, char text[16])
{
	const char *name = node->name;
	uint32_t hash = 2166136261U;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619U;
	if (node->leaf)
		snprintf(text, 16, "#%02x%02x%02x", 140 + hash % 40, 180 + (hash >> 8) % 30, 235);
	else if (!strncmp(name, "runtime.", 8))
		snprintf(text, 16, "#%02x%02x%02x", 190 + hash % 20, 190 + hash % 20, 190 + hash % 20);
	else
		snprintf(text, 16, "#%02x%02x%02x", 225 + hash % 30, 120 + (hash >> 8) % 100, 60 + (hash >> 16) % 40);
}

static void put_value(struct pw_buf *out, enum pw_flame_unit unit, uint64_t value, double percent)
{
	char text[PW_DURATION_SIZE], size[PW_SIZE_TEXT_SIZE];

	if (unit == PW_FLAME_MICROSECONDS)
		pw_buf_printf(out, " (%s, %.2f%%)",
			      pw_time_duration(value < UINT64_MAX / 1000 ? value * 1000 : UINT64_MAX, text), percent);
	else if (unit == PW_FLAME_BYTES)
		pw_buf_printf(out, " (%s, %.2f%%)", pw_size_text(value, size), percent);
	else
		pw_buf_printf(out, " (%" PRIu64 " goroutines, %.2f%%)", value, percent);
}

/* "http.(*Server).Serve" of "net/http.(*Server).Serve": what tells most in little room. Type arguments have paths, too.
 */
static const char *without_path(const char *name)
{
	size_t end = strcspn(name, "[(");

	while (end && name[end - 1] != '/')
		end--;
	return name + end;
}

static void put_node(struct pw_buf *out, const struct pw_flame *flame, const struct pw_flame_title *title,
		     const struct node *node, double x, double width, uint32_t depth, int height)
{
	const char *name = node->name;
	int y = height - BOTTOM - ROW * (int)(depth + 1);
	double percent = 100.0 * (double)node->value / (double)flame->total;
	char fill[16];

	colour(node, fill);
	pw_buf_printf(out, "<g class=\"f\" data-x=\"%.3f\" data-w=\"%.3f\" data-d=\"%u\"><title>", x, width, depth);
	put_xml(out, name);
	put_value(out, title->unit, node->value, percent);
	pw_buf_printf(out, "</title><rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/>", x, y, width,
		      ROW - 1, fill);
	pw_buf_printf(out, "<text x=\"%.2f\" y=\"%d\">", x + 3, y + ROW - 5);
	if (width > 4 * CHAR_WIDTH) {
		int room = (int)PW_MIN(width / CHAR_WIDTH - 1, 240.0);
		const char *last = without_path(name);
		bool fits = strlen(last) <= (size_t)room;
		char cut[256];

		snprintf(cut, sizeof(cut), "%.*s%s", fits ? room : room - 2, last, fits ? "" : "..");
		put_xml(out, cut);
	}
	pw_buf_puts(out, "</text></g>\n");
}

/* --- layout ------------------------------------------------------------------------------------------------------ */

struct place {
	uint32_t node, depth;
	double x;
};

static void push_children(const struct pw_flame *flame, const struct place *place, struct place *stack, size_t *count,
			  size_t capacity)
{
	double x = place->x;

	for (uint32_t at = flame->nodes.items[place->node].first_child; at; at = flame->nodes.items[at].next_sibling) {
		double width = WIDTH * (double)flame->nodes.items[at].value / (double)flame->total;

		if (width >= WIDTH_MIN && *count < capacity)
			stack[(*count)++] = (struct place){at, place->depth + 1, x};
		x += width;
	}
}

/* Draws, or with out NULL only finds the depth. Without recursion: stacks are as deep as a target likes. */
static int walk(struct pw_flame *flame, struct pw_buf *out, const struct pw_flame_title *title, int height)
{
	_cleanup_free_ struct place *stack = calloc(flame->nodes.count + 1, sizeof(*stack));
	size_t count = 0;

	if (!stack)
		return -ENOMEM;
	stack[count++] = (struct place){0};
	while (count) {
		struct place place = stack[--count];
		const struct node *node = &flame->nodes.items[place.node];

		flame->depth = PW_MAX(flame->depth, place.depth);
		if (out)
			put_node(out, flame, title, node, place.x, WIDTH * (double)node->value / (double)flame->total,
				 place.depth, height);
		push_children(flame, &place, stack, &count, flame->nodes.count + 1);
	}
	return 0;
}

static const char style[] = "<style>"
			    "text{font:11px monospace;fill:#000;pointer-events:none}"
			    ".f{cursor:pointer}.f rect{stroke:#fff;stroke-width:.4}"
			    ".f:hover rect{stroke:#000}.hide{display:none}.match rect{fill:#d53cf0}.dim{opacity:.5}"
			    "#title{font:14px sans-serif}.button{cursor:pointer;pointer-events:all;fill:#03c}"
			    "</style>\n";

/* Zoom: everything is scaled so that the chosen node fills the width. Names are cut anew for their new widths. */
static const char script[] =
	"<script><![CDATA[\n"
	"(function(){\n"
	"var W=1200,C=6.6,all=Array.prototype.slice.call(document.querySelectorAll('.f'));\n"
	"var info=document.getElementById('info'),reset=document.getElementById('reset'),"
	"find=document.getElementById('find'),found=document.getElementById('found');\n"
	"function num(g,k){return parseFloat(g.getAttribute('data-'+k))}\n"
	"function name(g){return g.querySelector('title').textContent}\n"
	"function label(g,w){var t=g.querySelector('text'),s=name(g).replace(/ "
	"\\([^()]*\\)$/,'').replace(/^[^[(]*\\//,''),n=Math.floor(w/C)-1;\n"
	" t.textContent=n<3?'':s.length<=n?s:s.slice(0,n-2)+'..'}\n"
	"function zoom(to){var x0=num(to,'x'),w0=num(to,'w'),d0=num(to,'d');\n"
	" all.forEach(function(g){var x=num(g,'x'),w=num(g,'w'),d=num(g,'d');\n"
	"  var under=d<d0&&x<=x0+1e-3&&x+w>=x0+w0-1e-3,inside=x>=x0-1e-3&&x+w<=x0+w0+1e-3&&d>=d0;\n"
	"  g.classList.toggle('hide',!under&&!inside);g.classList.toggle('dim',under);\n"
	"  if(!under&&!inside)return;\n"
	"  var nx=under?0:(x-x0)/w0*W,nw=under?W:w/w0*W,r=g.querySelector('rect');\n"
	"  "
	"r.setAttribute('x',nx);r.setAttribute('width',nw);g.querySelector('text').setAttribute('x',nx+3);label(g,nw)})"
	";\n"
	" reset.classList.toggle('hide',d0===0)}\n"
	"function search(){var p=prompt('Find a function (regular expression)','');if(p===null)return;\n"
	" var re=null;try{re=p===''?null:new RegExp(p)}catch(e){found.textContent='not a regular expression';return}\n"
	" var hit=[];all.forEach(function(g){var m=re!==null&&re.test(name(g).replace(/ \\([^()]*\\)$/,''));\n"
	"  g.classList.toggle('match',m);if(m)hit.push([num(g,'x'),num(g,'x')+num(g,'w')])});\n"
	" hit.sort(function(a,b){return a[0]-b[0]});var sum=0,end=0;\n"
	" hit.forEach(function(h){sum+=Math.max(0,h[1]-Math.max(h[0],end));end=Math.max(end,h[1])});\n"
	" found.textContent=re===null?'':'found: '+(100*sum/W).toFixed(2)+'%'}\n"
	"all.forEach(function(g){g.addEventListener('click',function(){zoom(g)});\n"
	" g.addEventListener('mouseover',function(){info.textContent=name(g)});\n"
	" g.addEventListener('mouseout',function(){info.textContent=''})});\n"
	"reset.addEventListener('click',function(){zoom(all[0])});find.addEventListener('click',search);\n"
	"window.addEventListener('keydown',function(e){if((e.ctrlKey||e.metaKey)&&e.key==='f'){e.preventDefault();"
	"search()}});\n"
	"})();\n"
	"]]></script>\n";

static void put_frame(struct pw_buf *out, const struct pw_flame *flame, const char *what, int height)
{
	const struct pw_profile *profile = flame->profile;

	pw_buf_printf(
		out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%d\" viewBox=\"0 0 %.0f %d\">\n",
		WIDTH, height, WIDTH, height);
	pw_buf_puts(out, style);
	pw_buf_printf(out,
		      "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text id=\"title\" x=\"8\" y=\"18\">");
	put_xml(out, profile->process);
	pw_buf_printf(out, " (pid %d, ", profile->pid);
	put_xml(out, profile->go_version);
	pw_buf_puts(out, "): ");
	put_xml(out, what);
	pw_buf_puts(out, "</text>\n<text id=\"info\" x=\"8\" y=\"38\"></text>\n"
			 "<text id=\"reset\" class=\"button hide\" x=\"900\" y=\"18\">whole graph</text>\n"
			 "<text id=\"find\" class=\"button\" x=\"1000\" y=\"18\">search</text>\n"
			 "<text id=\"found\" x=\"1060\" y=\"18\"></text>\n");
}

int pw_flame_finish(struct pw_flame *flame, const struct pw_flame_title *title, struct pw_buf *out)
{
	int height, r;

	flame->total = PW_MAX(flame->nodes.items[0].value, (uint64_t)1);
	r = walk(flame, NULL, title, 0);
	height = TOP + BOTTOM + ROW * (int)(flame->depth + 1);
	if (r < 0)
		return r;
	put_frame(out, flame, title->text, height);
	r = walk(flame, out, title, height);
	pw_buf_puts(out, script);
	pw_buf_puts(out, "</svg>\n");
	return r < 0 ? r : pw_buf_error(out);
}
