"""Record what functions that make tensors do with many forms of their arguments.

Run with PyTorch installed: python tests/record_forms.py. A case is a line of code; of its result
the dtype, shape, strides, requires_grad and is_leaf are kept (and the values where they are not
random), of an exception the class.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tests.recording import record

PATH = Path(__file__).parent / "data" / "forms.json.gz"
torch: Any = None  # the namespace under test

SIZES = """2,3|(2,3)|[2,3]|m.Size([2,3])|2|()||[]|t(2),t(3)|(t(2),3)|np.int64(2),3|(np.int64(2),3)
size=(2,3)|size=2|2.0|(2.,3)|-1|(2,-1)|'a'|None|True|(2,None)|2,(3,)|[[2]]|x|m.tensor([2,3])|2,3,
np.array([2,3])|range(2)"""
OPTIONS = """dtype=m.float64|dtype=m.int64|dtype=m.bool|dtype=float|dtype=int|dtype='float32'
dtype=np.float32|device='cpu'|device=m.device('cpu')|device=None|layout=m.strided|requires_grad=True
requires_grad=1|pin_memory=False|out=m.empty(0)|out=m.empty(2,3)|foo=1|generator=None|dtype=None
dtype=m.int64,requires_grad=True|names=None|memory_format=m.contiguous_format"""
LIKES = """x|i|x.double()|x.t()|x.bool()|[1,2]|2|input=x|x,dtype=m.int32|x,dtype=m.float64
x,requires_grad=True|i,dtype=m.float32|i,requires_grad=True|x,device='cpu'|x,layout=m.strided
x,pin_memory=False|x.requires_grad_()|x.expand(4,2,3)|x,memory_format=m.contiguous_format
x.t(),memory_format=m.contiguous_format|x,m.float64|x.half()"""
FULL = """(2,3),1|(2,3),1.|(2,3),True|[2],t(3)|(),5|2,1|(2,3),fill_value=2|size=(2,3),fill_value=2
(2,3),1,dtype=m.int8|(2,),1.5,dtype=m.int64|(2,),None|(2,),'a'|(2,),t([1])|(2,),t([1,2])
(2,),np.float32(2)|(2,),-1,dtype=m.uint8|(2,),300,dtype=m.uint8"""
ARANGE = """3|1,3|1,5,2|0,1,.25|3.|t(3)|1,t(4)|t(1.),3|end=3|start=1,end=3|0,3,dtype=m.float64
3,dtype=m.int8|5,1,-1|5,1|1,5,-1|1,5,0|0,0|float('nan')|0,float('inf')|True|'a'|x|3,requires_grad=True
3.,requires_grad=True|np.int64(3)|np.float32(3)|2**40,2**40+3|0.1,0.5,0.1|1,2,.3,dtype=m.int64|-3
out=m.empty(0),end=3|3,device='cpu',layout=m.strided"""
SPACES = """0,1,5|0,1,steps=5|0,1,1|0,1,0|0,1,-1|0,1|0,10,4,dtype=m.int64|t(0),t(1),5|t(0.),1,5
start=0,end=1,steps=3|1,0,5|0,1,5,requires_grad=True|t([0.,1.]),1,3|0,1,5.|'a',1,2
0,1,3,dtype=m.float64|0,1,t(3)"""
DATA = """[1,2]|[1.,2]|[True,False]|[[1,2],[3,4]]|[[1,2],[3]]|1|1.|True|x|np.ones(2)
np.ones(2,dtype=np.float32)|np.float64(1)|np.int32(1)|[np.float32(1),2]|(1,2)|range(3)|[t(1),t(2)]
[t([1]),t([2])]|[t([1,2]),t([2,3])]|'a'|None|[]|[[]]|[[],[]]|[1,2],dtype=m.float64
[1.7],dtype=m.int64|[1],requires_grad=True|[1.],requires_grad=True|[1.],device='cpu'|data=[1]
[300],dtype=m.uint8|[-1],dtype=m.uint8|2**63|-2**63|{1}|{'a':1}|[None]|b'ab'|[x]|[x[0],x[1]]
np.array(['a'])|np.array([None])|np.ones((2,3))[:,::-1]|np.ones(2,dtype='>f4')|iter([1,2])
[[1,2.],[True,3]]|np.array(1.5)|[np.array([1,2]),np.array([3,4])]"""
ASARRAY = """[1,2]|x|np.ones(2)|1|x,copy=True|x,copy=False|[1],copy=False|x,dtype=m.int32
x,dtype=m.int32,copy=False|np.ones(2),dtype=m.float32|b'abcd',dtype=m.uint8
bytearray(b'abcd'),dtype=m.int16|np.float64(1)|range(3)|None|'a'"""
BUFFERS = """bytearray(b'abcd'),dtype=m.uint8|bytearray(b'abcd'),dtype=m.int16,offset=2
bytearray(b'abcd'),dtype=m.int16,count=1|bytearray(b''),dtype=m.uint8|[1],dtype=m.int8"""
LEGACY = """2,3|(2,3)|[1,2]||2|x|np.ones(2)|2,device='cpu'|t(2)|[[1,2],[3,4]]|True|2.
m.Size([2,3])|()|[]|1,2,3.|'a'|None|range(2)"""
EYE = """3|3,4|n=3|3,m=2|0|-1|3.|t(3)|3,dtype=m.int64|3,requires_grad=True|(2,3)
3,4,out=m.empty(0)"""
PERMUTED = """5|0|-1|5,dtype=m.int32|5,dtype=m.float64|5,generator=m.Generator()|5.|t(5)|n=5
5,out=m.empty(0,dtype=m.int64)|5,requires_grad=True|300,dtype=m.uint8"""
INTEGERS = """5,(2,3)|1,5,(2,)|5,[2]|5,2|high=5,size=(2,)|low=1,high=5,size=(2,)|5,()|0,(2,)
5,3,(2,)|5,(2,),dtype=m.float32|5,(2,),dtype=m.int8|5.5,(2,)|t(5),(2,)|5,m.Size([2])|-5,-1,(2,)
5,(2,),generator=m.Generator()|5,(2,),requires_grad=True|5,(2,),requires_grad=True,dtype=m.float32
(2,),5|300,(2,),dtype=m.uint8|5,(t(2),3)"""
INTEGERS_LIKE = "x,5|x,1,5|i,5|x,low=1,high=5|x,5,dtype=m.int64|x,0|x,5.5|x,t(5)|x.bool(),2"
NORMAL = """x,x|x,1.|0.,x|0.,1.,(2,3)|0.,1.,size=(2,)|0,1,(2,)|x,-x|0.,-1.,(2,)
x,x,generator=m.Generator()|x,t([1.,2.,3.])|x,t([1.,2.])|mean=x,std=x|x|i.float()|i
0.,1.,(2,),dtype=m.float64"""
COINS = """x|x*0.5|x,0.5|i.float()*.3|x,generator=m.Generator()|x*-1|0.5|x.double()|x.bool()
x.requires_grad_()"""
MULTINOMIAL = """x[0],2|x,2|x,2,True|x,4|x,4,replacement=True|x[0],num_samples=1|x*0,1|-x,1
i.float(),2|i,1|x,0|x[None],1|m.ones(0),1|x[0],2,generator=m.Generator()"""
IN_PLACE = {
    "normal_": "|0,1|1.,2.|mean=1,std=2|0,-1|generator=m.Generator()",
    "uniform_": "|0,1|-1,1|1,0|to=2|generator=m.Generator()", "exponential_": "|2|lambd=2|0|-1",
    "geometric_": "0.5|p=.5|0|1|1.5", "cauchy_": "|0,1|0,-1", "random_": "|5|1,5|0|5,1|to=3",
    "log_normal_": "|0,1|0,-1|mean=1,std=2",
    "bernoulli_": "|0.5|p=.5|2|-1|x*0|m.zeros(3)|m.zeros(2)",
}
TARGETS = ["x", "x.double()", "i", "x.half()", "x.bool()", "x.t()", "x.clone().requires_grad_()",
           "(x.clone().requires_grad_()*1)"]


def cases() -> list[str]:
    """Return all lines of code."""
    made = ["zeros", "ones", "empty", "rand", "randn"]
    pairs = [(f"m.{f}(%s)", SIZES) for f in made] + [(f"m.{f}(2,3,%s)", OPTIONS) for f in made]
    new = ["new_zeros", "new_ones", "new_empty", "new_tensor"]
    pairs += [(f"x.{f}(%s)", SIZES) for f in new] + [(f"x.{f}((2,3),%s)", OPTIONS) for f in new]
    pairs += [(f"m.{f}_like(%s)", LIKES) for f in made] + [
        ("m.full(%s)", FULL), ("x.new_full(%s)", FULL), ("m.arange(%s)", ARANGE),
        ("m.linspace(%s)", SPACES), ("m.logspace(%s)", SPACES), ("m.eye(%s)", EYE),
        ("m.randperm(%s)", PERMUTED), ("m.randint(%s)", INTEGERS), ("m.normal(%s)", NORMAL),
        ("m.randint_like(%s)", INTEGERS_LIKE), ("m.bernoulli(%s)", COINS), ("m.poisson(%s)", COINS),
        ("m.multinomial(%s)", MULTINOMIAL), ("m.tensor(%s)", DATA), ("m.as_tensor(%s)", DATA),
        ("m.asarray(%s)", ASARRAY), ("m.frombuffer(%s)", BUFFERS)]
    pairs += [(f"{f}(%s)", LEGACY) for f in ("m.Tensor", "m.FloatTensor", "m.LongTensor", "x.new")]
    pairs += [(f"{target}.{f}(%s)", forms) for f, forms in IN_PLACE.items() for target in TARGETS]
    return [code % form for code, forms in pairs for form in forms.replace("\n", "|").split("|")]


def outcome(code: str) -> Any:
    """Return what a line of code does."""
    names = {"m": torch, "np": np, "x": torch.ones(2, 3), "i": torch.arange(3), "t": torch.tensor}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            y = eval(code, names)
        except (TypeError, ValueError, RuntimeError, NotImplementedError, OverflowError) as error:
            return type(error).__name__
    known = code.startswith(("m.arange", "m.eye", "m.tensor", "m.as_tensor", "m.asarray",
                             "m.frombuffer", "m.zeros", "m.ones", "m.full"))
    return [str(y.dtype)[6:], list(y.shape), list(y.stride()), y.requires_grad, y.is_leaf,
            y.tolist() if known else None]


def table() -> dict[str, Any]:
    return {code: outcome(code) for code in cases()}


if __name__ == "__main__":
    record(sys.modules["__main__"])
