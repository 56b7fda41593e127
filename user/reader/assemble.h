/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_ASSEMBLE_H
#define PW_READER_ASSEMBLE_H

#include "reader/facts.h"

struct pw_opened;

/* Works out all that an open file says about its build. What cannot be found is said in the why_ fields. */
void pw_facts_assemble(struct pw_build_facts *ret_facts, const struct pw_opened *opened);

#endif
