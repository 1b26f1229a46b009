"""Makes calls of dspy.Predict with the coffee shop's signature, and tells what they cost: url, calls, concurrency."""

import asyncio
import json
import math
import resource
import sys
import time
from typing import Literal, Union

import dspy
from pydantic import BaseModel


class MakeDrink(BaseModel):
    type: Literal["MakeDrink"]
    drink_type: str
    size: Literal["small", "medium", "large"]
    customizations: list[str]


class RefundOrder(BaseModel):
    type: Literal["RefundOrder"]
    order_id: str
    reason: str
    refund_amount: float


class CallManager(BaseModel):
    type: Literal["CallManager"]
    issue: str
    urgency: Literal["low", "medium", "high"]


class Joke(BaseModel):
    type: Literal["Joke"]
    setup: str
    punchline: str


class CoffeeShop(dspy.Signature):
    """Analyze customer request and take appropriate action."""

    customer_request: str = dspy.InputField()
    customer_mood: Literal["happy", "neutral", "upset"] = dspy.InputField()
    time_of_day: Literal["morning", "afternoon", "evening", "rush_hour"] = dspy.InputField()
    action: Union[MakeDrink, RefundOrder, CallManager, Joke] = dspy.OutputField()
    friendly_response: str = dspy.OutputField()


INPUT = {
    "customer_request": "Can I get a large iced latte with oat milk and an extra shot?",
    "customer_mood": "happy",
    "time_of_day": "morning",
}


async def make(predict, calls, concurrency):
    async def task():
        for _ in range(math.ceil(calls / concurrency)):
            assert (await predict.acall(**INPUT)).friendly_response

    await asyncio.gather(*(task() for _ in range(concurrency)))
    return math.ceil(calls / concurrency) * concurrency


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main():
    url, calls, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    lm = dspy.LM("openai/gpt-4o-mini", api_base=url.rstrip("/"), api_key="bench", cache=False)
    dspy.configure(lm=lm, adapter=dspy.JSONAdapter())
    predict = dspy.Predict(CoffeeShop)
    warm_up = await make(predict, max(20, concurrency), concurrency)
    began, before = time.monotonic(), cpu()
    made = await make(predict, calls, concurrency)
    wall, used = time.monotonic() - began, cpu() - before
    told = {"cpu_us": used * 1e6 / made, "calls_per_s": made / wall, "calls_with_warm_up": made + warm_up}
    print(json.dumps(told))


asyncio.run(main())
