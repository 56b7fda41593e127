/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/holdings.h"

#include <string.h>

void pw_holdings_init(struct pw_holdings *ret_holdings)
{
	memset(ret_holdings, 0xff, sizeof(*ret_holdings)); /* PW_UNKNOWN everywhere */
}
